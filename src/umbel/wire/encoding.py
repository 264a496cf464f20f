"""Values to bytes and back, by the name of a serializer or the content type of a message."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterable
from functools import cache
from types import NoneType
from typing import Any

import msgspec

from umbel import guise
from umbel.errors import ContentDisallowed, DecodeError, EncodeError, ImproperlyConfigured
from umbel.wire.brief import brief, told
from umbel.wire.exception_names import ours
from umbel.wire.typed_json import from_json, to_json

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


class Serializer(msgspec.Struct, frozen=True):
    """One way to write values as bytes."""

    name: str
    content_type: str
    content_encoding: str
    dumps: Callable[[Any], bytes | str]
    loads: Callable[[bytes], Any]
    extra: str | None = None
    """The module it needs, which is also the name of umbel's extra."""


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
    found = by_type.get(content_type) or by_type.get(_bare(content_type)) or _of_others(content_type)
    if found is None or found.content_type not in accept:
        raise ContentDisallowed(_refusal(content_type, found))
    try:
        return found.loads(_recoded(data, content_encoding, found))
    except DecodeError:
        raise
    except (Exception, RecursionError, MemoryError) as failure:
        raise DecodeError(f"these {len(data)} bytes are no {found.name}: {told(failure)}") from failure


def accept_types(names: Iterable[str]) -> frozenset[str]:
    """The content types that `names` (of serializers, or content types) stand for."""
    return frozenset(name if "/" in name else _named(name, ImproperlyConfigured).content_type for name in names)


def content_type(serializer: str) -> tuple[str, str]:
    """Content type and content encoding that `serializer` writes."""
    found = _named(serializer, EncodeError)
    return found.content_type, found.content_encoding


def unknown(name: str) -> str | None:
    """Why this is the name of no serializer that can be used; None if it is one."""
    try:
        _named(name, EncodeError)
    except EncodeError as problem:
        return str(problem)
    return None


def register_serializer(
    name: str,
    dumps: Callable[[Any], bytes | str],
    loads: Callable[[bytes], Any],
    content_type: str,
    content_encoding: str = "utf-8",
) -> None:
    """Add a serializer, or put another in its place: `task_serializer`, `serializer=` and `accept_content` may name it then.

    `dumps` gives bytes or text, `loads` takes bytes; messages bear the content type. Senders and workers must both know it.
    """
    _add(Serializer(name, content_type, content_encoding, dumps, loads))


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

    return yaml.load(data, Loader)  # noqa: S506 - a SafeLoader


@cache
def _pickler() -> Callable[[Any, int], bytes]:
    from pickle import dumps  # few programs use it

    return dumps


def _to_pickle(value: Any) -> bytes:
    return _pickler()(value, _PICKLE_PROTOCOL)


@cache
def _unpickler() -> Callable[[io.BytesIO], Any]:
    from pickle import Unpickler

    class Known(Unpickler):
        """Finds umbel's exceptions under the names that Celery pickles."""

        def find_class(self, module: str, name: str) -> Any:
            return ours().get((module, name)) or super().find_class(module, name)

    return Known


def _from_pickle(data: bytes) -> Any:
    return _unpickler()(io.BytesIO(data)).load()


JSON = Serializer("json", _JSON, "utf-8", to_json, from_json)
"""What is read and written in faster ways, too, unless another was put in its place."""
_by_name: dict[str, Serializer] = {}
by_type: dict[str, Serializer] = {}
"""The serializers by the content types that they write."""


def _add(serializer: Serializer) -> None:
    _by_name[serializer.name] = serializer
    by_type[serializer.content_type] = serializer


_add(JSON)
_add(Serializer("msgpack", _MSGPACK, "binary", _to_msgpack, msgspec.msgpack.decode))
_add(Serializer("yaml", _YAML, "utf-8", _to_yaml, _from_yaml, extra="yaml"))
_add(Serializer("pickle", _PICKLE, "binary", _to_pickle, _from_pickle))


def _named(name: str, error: type[Exception]) -> Serializer:
    found = _by_name.get(name) or by_type.get(name) or _of_others(name)
    if found is None:
        import difflib  # only mistakes need it

        near = difflib.get_close_matches(str(name), _by_name, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(_by_name))}"
        raise error(f"there is no serializer {name!r}; {hint}")
    if found.extra and importlib.util.find_spec(found.extra) is None:
        raise error(f"the serializer {name!r} needs a package that is missing: pip install 'umbel[{found.extra}]'")
    return found


def _of_others(name: str) -> Serializer | None:
    """A serializer that is not umbel's: see `guise.Formats`."""
    others = guise.formats()
    found = others.serializer(name) if others is not None else None
    return Serializer(*found) if found else None


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
    for _ in range(8):  # deep enough to find it, and an end for what contains itself
        inner = next((part for part in _parts(value) if not _works(serializer, part[1])), None)
        if inner is None:
            break
        name, value = f"{name}[{brief(inner[0], 60)}]", inner[1]
    return f"{name} cannot be sent as {serializer.name}: {brief(value, 200)} ({type(value).__qualname__}): {told(failure)}"


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()


def _works(serializer: Serializer, value: Any) -> bool:
    try:
        serializer.dumps(value)
    except Exception:
        return False
    return True
