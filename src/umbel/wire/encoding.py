"""Values to bytes and back, by the name of a serializer or the content type of a message.

JSON is Celery's: what JSON lacks travels as an object of two keys, `{"__type__": T, "__value__": V}`.

    datetime  isoformat      date  isoformat      time  isoformat      decimal  text
    uuid      {"hex": …}     bytes  text (valid UTF-8)                 base64   text (other bytes)

Tuples become arrays, objects with `__json__` give their stand-in, lazily evaluated strings are evaluated. msgspec does the work
where it means the same as the standard library's json with these types, which does the rest.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import difflib
import importlib.util
import json
import math
import pickle
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Any

import msgspec

from umbel.errors import ContentDisallowed, DecodeError, EncodeError, ImproperlyConfigured
from umbel.wire.brief import brief

MARK = b"__type__"
"""Bytes without it (and without an escaped underscore) hold plain JSON only."""
_ESCAPED_MARK = b"\\u005"
_JSON = "application/json"
_MSGPACK = "application/x-msgpack"
_YAML = "application/x-yaml"
_PICKLE = "application/x-python-serialize"
_PICKLE_PROTOCOL = 4  # what Celery writes, readable by every Python 3.4+

# Codecs a message may name. Others are refused: some of Python's (punycode, idna) take quadratic time.
_TEXT_CODECS = {
    **dict.fromkeys(("utf-8", "utf8", "binary", "ascii-8bit", "ascii", "us-ascii", ""), "utf-8"),
    **dict.fromkeys(("latin-1", "latin1", "iso-8859-1"), "latin-1"),
    **{name: name for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig")},
}


@dataclass(slots=True, frozen=True)
class Serializer:
    """One way to write values as bytes."""

    name: str
    content_type: str
    content_encoding: str
    dumps: Callable[[Any], bytes | str]
    loads: Callable[[bytes], Any]
    extra: str | None = None
    """The module it needs, which is also the name of umbel's extra."""


# --- the face --------------------------------------------------------------------------------------------------------------------


def dumps(value: Any, serializer: str = "json", *, name: str = "value") -> tuple[str, str, bytes]:
    """Content type, content encoding and bytes of `value`; an `EncodeError` says which part of `name` cannot travel."""
    found = _named(serializer, EncodeError)
    try:
        data = found.dumps(value)
    except Exception as failure:  # whatever a serializer or a value's own hooks raise
        raise EncodeError(_blame(value, found, name, failure)) from failure
    return found.content_type, found.content_encoding, data.encode() if isinstance(data, str) else data


def loads(data: bytes, content_type: str, content_encoding: str, accept: frozenset[str]) -> Any:
    """The value in `data`; refuses content types that are not in `accept`, whatever the bytes are."""
    found = _by_type.get(content_type) or _by_type.get(_bare(content_type))
    if found is None or found.content_type not in accept:
        raise ContentDisallowed(_refusal(content_type, found))
    try:
        return found.loads(_recoded(data, content_encoding, found))
    except DecodeError:
        raise
    except (Exception, RecursionError, MemoryError) as failure:
        raise DecodeError(f"these {len(data)} bytes are no {found.name}: {brief(failure, 200)}") from failure


def accept_types(names: Iterable[str]) -> frozenset[str]:
    """The content types that `names` (of serializers, or content types) stand for."""
    return frozenset(name if "/" in name else _named(name, ImproperlyConfigured).content_type for name in names)


def content_type(serializer: str) -> tuple[str, str]:
    """Content type and content encoding that `serializer` writes."""
    found = _named(serializer, EncodeError)
    return found.content_type, found.content_encoding


def register(
    name: str,
    dumps: Callable[[Any], bytes | str],
    loads: Callable[[bytes], Any],
    content_type: str,
    content_encoding: str = "utf-8",
) -> None:
    """Add a serializer, or put another in its place."""
    _add(Serializer(name, content_type, content_encoding, dumps, loads))


def register_type(kind: type, marker: str, encoder: Callable[[Any], Any], decoder: Callable[[Any], Any]) -> None:
    """Let instances of `kind` travel in JSON as `{"__type__": marker, "__value__": encoder(it)}`."""
    _encoders.insert(0, (kind, marker, encoder))
    _decoders[marker] = decoder


# --- JSON ------------------------------------------------------------------------------------------------------------------------

_ATOMS = frozenset({str, int, bool, NoneType})
_KEYS = frozenset({str})


def to_json(value: Any) -> bytes:
    """`value` as JSON in UTF-8; raises what json and the value's hooks raise."""
    try:
        if is_plain(value):
            return _fast_encode(value)
    except (RecursionError, ValueError):  # too deep, or text with lone surrogates: json knows better
        pass
    return _slow_encode(value).encode()


def from_json(data: bytes | str) -> Any:
    """The value in JSON bytes; raises what json raises, or `DecodeError` for a bad `__type__`."""
    if isinstance(data, bytes) and MARK not in data and _ESCAPED_MARK not in data:
        try:
            return _fast_decode(data)
        except (msgspec.DecodeError, ValueError):  # NaN, a lone surrogate, a number out of range, a byte order mark
            pass
    return json.loads(data, object_hook=_revive)


def is_plain(value: Any) -> bool:
    """True if msgspec and json write `value` alike: exact builtin types, finite floats, keys that are text."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is list or kind is tuple:
        return _ATOMS.issuperset(map(type, value)) or all(map(is_plain, value))
    if kind is dict:
        values = value.values()
        return _KEYS.issuperset(map(type, value)) and (_ATOMS.issuperset(map(type, values)) or all(map(is_plain, values)))
    return kind is float and math.isfinite(value)


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
    "uuid": lambda value: uuid.UUID(value["hex"]),
    "bytes": lambda value: str.encode(value),
    "base64": lambda value: base64.b64decode(str.encode(value), validate=True),
}
_fast_encode = msgspec.json.Encoder().encode
_fast_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
_slow_encode = json.JSONEncoder(default=_default, separators=(",", ":")).encode


# --- msgpack, yaml, pickle ---------------------------------------------------------------------------------------------------------


def _to_msgpack(value: Any) -> bytes:
    _check_msgpack(value)
    return msgspec.msgpack.encode(value)


def _check_msgpack(value: Any) -> None:
    """Refuse what msgspec would write in a form that other readers do not know (dates, UUIDs, sets)."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_msgpack(key)
            _check_msgpack(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_msgpack(item)
    elif not isinstance(value, (str, int, float, bytes, bytearray, memoryview, NoneType)):
        raise TypeError(f"{type(value).__qualname__} is no type that msgpack has")


def _to_yaml(value: Any) -> bytes:
    import yaml  # type: ignore[import-untyped]  # no stubs; here, because it is an extra

    text: str = yaml.safe_dump(value)
    return text.encode()


def _from_yaml(data: bytes) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # untyped
        """Safe also in size: merge keys, which nobody dumps, can grow without bound."""

        def flatten_mapping(self, node: Any) -> None:
            if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
                raise DecodeError("YAML with merge keys (`<<`) is not accepted")

    return yaml.load(data, Loader)


def _to_pickle(value: Any) -> bytes:
    return pickle.dumps(value, _PICKLE_PROTOCOL)


# --- the register ----------------------------------------------------------------------------------------------------------------

_by_name: dict[str, Serializer] = {}
_by_type: dict[str, Serializer] = {}


def _add(serializer: Serializer) -> None:
    _by_name[serializer.name] = serializer
    _by_type[serializer.content_type] = serializer


_add(Serializer("json", _JSON, "utf-8", to_json, from_json))
_add(Serializer("msgpack", _MSGPACK, "binary", _to_msgpack, msgspec.msgpack.decode))
_add(Serializer("yaml", _YAML, "utf-8", _to_yaml, _from_yaml, extra="yaml"))
_add(Serializer("pickle", _PICKLE, "binary", _to_pickle, pickle.loads))


def _named(name: str, error: type[Exception]) -> Serializer:
    found = _by_name.get(name) or _by_type.get(name)
    if found is None:
        near = difflib.get_close_matches(str(name), _by_name, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(_by_name))}"
        raise error(f"there is no serializer {name!r}; {hint}")
    if found.extra and importlib.util.find_spec(found.extra) is None:
        raise error(f"the serializer {name!r} needs a package that is missing: pip install 'umbel[{found.extra}]'")
    return found


def _bare(content_type: str) -> str:
    """The content type without parameters (`; charset=…`)."""
    return content_type.partition(";")[0].strip().lower()


def _recoded(data: bytes, content_encoding: str, serializer: Serializer) -> bytes:
    """The bytes as the serializer expects them: text in UTF-8."""
    if serializer.content_encoding == "binary" or content_encoding == "utf-8":
        return data
    codec = _TEXT_CODECS.get((content_encoding or "").lower())
    if codec is None:
        raise DecodeError(f"the content encoding {brief(content_encoding, 100)} is not known")
    return data if codec == "utf-8" else data.decode(codec).encode()


def _refusal(content_type: str, found: Serializer | None) -> str:
    if found is None:
        return f"the content type {brief(content_type, 100)} is not known; register a serializer for it"
    return f"the content type {content_type!r} is not accepted; add {found.name!r} to accept_content if you trust who sends it"


def _blame(value: Any, serializer: Serializer, name: str, failure: Exception) -> str:
    """Which part of `value` cannot be written, and why."""
    for _ in range(20):  # deep enough to find it, and an end for what contains itself
        inner = next((part for part in _parts(value) if not _works(serializer, part[1])), None)
        if inner is None:
            break
        name, value = f"{name}[{brief(inner[0], 60)}]", inner[1]
    reason = brief(str(failure), 200).strip("'\"")
    return f"{name} cannot be sent as {serializer.name}: {brief(value, 200)} ({type(value).__qualname__}): {reason}"


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()


def _works(serializer: Serializer, value: Any) -> bool:
    try:
        serializer.dumps(value)
    except Exception:  # noqa: BLE001 - only whether it fails matters
        return False
    return True
