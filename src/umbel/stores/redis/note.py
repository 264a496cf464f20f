"""Notes as kombu's envelopes in JSON: what is published, and what lies in boxes."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from umbel.errors import BrokerRefused, DecodeError
from umbel.stores.channel import Note
from umbel.stores.redis.large import fast, filled
from umbel.wire.ids import new_id


class _Info(msgspec.Struct, gc=False):
    exchange: str = ""
    routing_key: str = ""


class _Properties(msgspec.Struct, gc=False):
    delivery_mode: int
    delivery_info: _Info
    priority: int
    body_encoding: str
    delivery_tag: str


class _Written(msgspec.Struct, gc=False):
    body: bytes
    content_encoding: str = msgspec.field(name="content-encoding")
    content_type: str = msgspec.field(name="content-type")
    headers: dict[str, Any]
    properties: _Properties


class _Told(msgspec.Struct, gc=False):
    delivery_info: _Info = msgspec.field(default_factory=_Info)
    body_encoding: str | None = None


class _Read(msgspec.Struct, gc=False):
    body: str
    content_encoding: str | None = msgspec.field(name="content-encoding", default=None)
    content_type: str | None = msgspec.field(name="content-type", default=None)
    headers: dict[str, Any] = msgspec.field(default_factory=dict)
    properties: _Told = msgspec.field(default_factory=_Told)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Read).decode


def write(note: Note, exchange: str, key: str) -> bytes:
    """The envelope of a note that goes there."""
    told = _Properties(note.delivery_mode, _Info(exchange, key), 0, "base64", new_id())
    large = fast(note.body)
    try:
        element = _encode(_Written(b"" if large else note.body, note.content_encoding, note.content_type, note.headers, told))
    except (TypeError, ValueError) as error:
        raise BrokerRefused(f"the headers of a note to {exchange!r} do not go into JSON: {error}") from error
    return filled(element, note.body, large) if large else element


def read(element: bytes) -> Note:
    """The note in an envelope; raises DecodeError if there is none."""
    try:
        found = _decode(element)
        told = found.properties
        if told.body_encoding == "base64":
            body = (fast(found.body) or base64).b64decode(found.body, validate=True)
        else:
            body = found.body.encode()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DecodeError(f"no note: {error}") from error
    info = told.delivery_info
    kind, codec = found.content_type or "application/json", found.content_encoding or "utf-8"
    return Note(info.exchange, info.routing_key, body, found.headers, kind, codec)
