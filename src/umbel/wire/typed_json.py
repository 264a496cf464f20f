"""Celery's JSON: what JSON lacks travels as an object of two keys, `{"__type__": T, "__value__": V}`.

    datetime  isoformat      date  isoformat      time  isoformat      decimal  text
    uuid      {"hex": …}     bytes  text (valid UTF-8)                 base64   text (other bytes)

Tuples become arrays, objects with `__json__` give their stand-in, lazily evaluated strings are evaluated. msgspec does the work
where it means the same as the standard library's json with these types, which does the rest.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime
import decimal
import json
import math
import uuid
from collections.abc import Callable
from types import NoneType
from typing import Any

import msgspec

from umbel import guise
from umbel.errors import DecodeError
from umbel.wire.brief import brief

MARK = b"__type__"
"""Bytes without it (and without an escaped underscore) hold plain JSON only."""
ESCAPED_MARK = b"\\u005"

_ATOMS = frozenset({str, int, bool, NoneType})
_KEYS = frozenset({str})


def to_json(value: Any) -> bytes:
    """`value` as JSON in UTF-8; raises what json and the value's hooks raise."""
    if is_plain(value):
        try:
            return _fast_encode(value)
        except (RecursionError, ValueError):  # lone surrogates, very long numbers: json knows better
            pass
    return _slow_encode(value).encode()


def from_json(data: bytes | str) -> Any:
    """The value in JSON bytes; raises what json raises, or `DecodeError` for a bad `__type__`."""
    if isinstance(data, bytes) and MARK not in data and ESCAPED_MARK not in data:
        try:
            return _fast_decode(data)
        except (msgspec.DecodeError, ValueError):  # NaN, a lone surrogate, a number out of range, a byte order mark
            pass
    return json.loads(data, object_hook=_revive)


def is_plain(value: Any) -> bool:
    """True if msgspec and json write `value` alike: exact builtin types, finite floats, keys that are text, not too deep."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    try:
        if kind is list or kind is tuple:
            return _ATOMS.issuperset(map(type, value)) or all(map(is_plain, value))
        if kind is dict:
            values = value.values()
            return _KEYS.issuperset(map(type, value)) and (_ATOMS.issuperset(map(type, values)) or all(map(is_plain, values)))
    except RecursionError:
        return False
    return kind is float and math.isfinite(value)


def register_type(kind: type, marker: str, encoder: Callable[[Any], Any], decoder: Callable[[Any], Any]) -> None:
    """Let instances of `kind` travel in JSON as `{"__type__": marker, "__value__": encoder(it)}`."""
    _encoders.insert(0, (kind, marker, encoder))
    _decoders[marker] = decoder


def _default(value: Any) -> Any:
    """What stands for `value` in JSON."""
    stand_in = getattr(type(value), "__json__", None)
    if stand_in is not None:
        return stand_in(value)
    for kind, marker, encoder in _encoders:
        if isinstance(value, kind):
            return {"__type__": marker, "__value__": encoder(value)}
    if isinstance(value, bytes):
        return _bytes_stand_in(value)
    if hasattr(type(value), "_proxy____cast"):  # Django's lazy strings
        return str(value)
    others = guise.formats()
    if others is not None:
        return others.json_out(value)
    raise TypeError(f"{type(value).__qualname__} is no type that JSON has")


def _bytes_stand_in(value: bytes) -> dict[str, str]:
    try:
        return {"__type__": "bytes", "__value__": value.decode()}
    except UnicodeDecodeError:
        return {"__type__": "base64", "__value__": base64.b64encode(value).decode()}


def _revive(found: dict[str, Any]) -> Any:
    """The value that an object of exactly the two keys stands for; any other object is itself."""
    if len(found) != 2 or "__type__" not in found or "__value__" not in found:
        return found
    marker = found["__type__"]
    decoder = _decoders.get(marker) if isinstance(marker, str) else None
    if decoder is None:
        others = guise.formats()
        if others is not None:
            with contextlib.suppress(LookupError):
                return others.json_in(found)
        raise DecodeError(f"JSON holds a value of the unknown type {brief(marker, 100)}")
    try:
        return decoder(found["__value__"])
    except (ValueError, TypeError, KeyError, ArithmeticError, binascii.Error) as failure:
        raise DecodeError(f"JSON holds {brief(found['__value__'], 100)}, which is no {marker}: {failure}") from failure


_encoders: list[tuple[type, str, Callable[[Any], Any]]] = [
    (datetime.datetime, "datetime", datetime.datetime.isoformat),  # before date: a datetime is one
    (datetime.date, "date", datetime.date.isoformat),
    (datetime.time, "time", datetime.time.isoformat),
    (decimal.Decimal, "decimal", str),
    (uuid.UUID, "uuid", lambda value: {"hex": value.hex}),
]
_decoders: dict[str, Callable[[Any], Any]] = {
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "decimal": decimal.Decimal,
    "uuid": lambda value: uuid.UUID(str.strip(value["hex"])),
    "bytes": str.encode,
    "base64": lambda value: base64.b64decode(str.encode(value), validate=True),
}
_fast_encode = msgspec.json.Encoder().encode
_fast_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
_slow_encode = json.JSONEncoder(default=_default, separators=(",", ":")).encode
