"""Serializers and JSON types that were registered with kombu: umbel asks for them last."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def serializer(name: str) -> tuple[str, str, str, Callable[[Any], bytes | str], Callable[[bytes], Any]] | None:
    """The serializer of this name or content type that kombu knows; what nobody has registered, kombu need not be loaded for."""
    from kombu.serialization import dumps, loads, registry

    names = {kind: known for known, kind in registry.name_to_type.items()}
    known = name if name in registry.name_to_type else names.get(name)
    if known is None:
        return None
    kind = registry.name_to_type[known]
    encoding = registry._encoders[known].content_encoding

    def read(data: bytes) -> Any:
        return loads(data, kind, encoding, accept={kind})

    return known, kind, encoding, lambda value: dumps(value, serializer=known)[2], read


def _kombu_json() -> Any:
    """kombu's JSON, if somebody has loaded it: only then can it know more types than umbel's own."""
    return sys.modules.get("kombu.utils.json")


def json_out(value: Any) -> Any:
    """What stands for a value in JSON."""
    kombu = _kombu_json()
    if kombu is None:
        raise TypeError(f"{type(value).__qualname__} is no type that JSON has")
    return json.loads(kombu.dumps(value))


def json_in(found: dict[str, Any]) -> Any:
    """The value that an object of two keys stands for."""
    kombu = _kombu_json()
    value = found if kombu is None else kombu.loads(json.dumps(found))
    if value == found:
        raise LookupError(found["__type__"])
    return value
