"""What stands in the lists: kombu's envelope around ours, in JSON, and which list it belongs to.

Priorities. On the wire of kombu's Redis 0 is the most urgent, what is sent without a priority has 0, and its workers empty
`<queue>` first, then the steps 3, 6 and 9. So there a priority only ever makes a message *less* urgent than the default.
umbel's go the other way: 0 is the default and the least, 9 the most urgent. Both scales meet in the default, the plain list:

    umbel 9 … 1                        0 (default)                      Celery 3, 6, 9
    <queue>\x06\x16+9 … +1             <queue>                          <queue>\x06\x163, 6, 9
    taken first                        then                             last

The lists left of the middle are umbel's own, as is where messages wait that are not due. A fleet with workers of Celery's sets
the option `celery_workers`: then all messages of umbel's go into the plain list, due or not, urgent or not, where those look.
A priority that Celery gave is read as 0 with the property `priority`, which sends a retry or a follow-up to the same step.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from umbel.errors import BrokerRefused, DecodeError
from umbel.stores.redis.large import fast, filled
from umbel.wire.envelope import Envelope
from umbel.wire.ids import new_id, new_ids

PLAIN = "0"
"""The step of the list that bears the queue's name alone."""
URGENT = tuple(f"+{priority}" for priority in range(9, 0, -1))
LONGEST = 512 << 20
"""Redis takes no string of this length or more."""

_STANDARD = frozenset(
    {"correlation_id", "reply_to", "delivery_mode", "delivery_info", "priority", "body_encoding", "delivery_tag"}
)


Past = tuple[int, int, float | None, float | None]
"""How often it was handed out, whether it was begun (1), since when it is parked, and when it was due."""
NO_PAST: Past = (0, 0, None, None)

_Facts = tuple[str, str, str, str, dict[str, Any]]
"""Id, reply_to, exchange, routing key, and further properties."""


class _Parts(msgspec.Struct, gc=False):
    """What stands in front of the properties in each element."""

    body: bytes
    content_encoding: str = msgspec.field(name="content-encoding")
    content_type: str = msgspec.field(name="content-type")
    headers: msgspec.Raw


class _Element(_Parts, gc=False):
    properties: dict[str, Any]
    umbel: Past | None = None


class _Info(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    exchange: str
    routing_key: str


class _Usual(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Properties with nothing out of the ordinary, as nearly all messages have them: read in half the time of a dict."""

    correlation_id: str
    delivery_mode: Literal[2]
    delivery_info: _Info
    priority: Literal[0]
    body_encoding: Literal["base64"]
    delivery_tag: str
    reply_to: str = ""


class _UsualElement(_Parts, gc=False):
    """An element in one of the usual languages: text that is one of a few needs no memory of its own."""

    content_encoding: Literal["utf-8", "binary"] = msgspec.field(name="content-encoding")
    content_type: Literal["application/json", "application/x-python-serialize", "application/x-msgpack"] = msgspec.field(
        name="content-type"
    )
    properties: _Usual
    umbel: Past | None = None


class _Properties(msgspec.Struct, gc=False, omit_defaults=True):
    """What kombu asks for, where there is nothing more."""

    correlation_id: str
    delivery_mode: int
    delivery_info: dict[str, str]
    priority: int
    body_encoding: str
    delivery_tag: str
    reply_to: str = ""


class _Written(_Parts, gc=False):
    properties: _Properties | dict[str, Any]


class _Named(msgspec.Struct, gc=False):
    id: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Element).decode
_decode_usual = msgspec.json.Decoder(_UsualElement).decode
_decode_name = msgspec.json.Decoder(_Named).decode

_BODY = re.compile(rb'\{(?:"umbel": ?\[[^]"]*\], ?)?"body": ?"')
"""What stands before the body, which comes first."""
_CORRELATION = re.compile(rb'"correlation_id": ?"([\w.-]{1,255})"', re.ASCII)


class Written(NamedTuple):
    """An element, and where it goes."""

    queue: str
    step: str
    due: float | None
    order: str
    """Of two that are due at the same time, the smaller comes first."""
    element: bytes


def as_arguments(each: Written) -> tuple[Any, ...]:
    """A message as scripts read it (MESSAGE of `keys.lua`)."""
    return each.queue, each.step, "" if each.due is None else repr(each.due), each.order, each.element


def write(envelopes: Sequence[Envelope], steps: Sequence[int], *, celery_workers: bool = False) -> list[Written]:
    """An element for each of the envelopes; `steps` are kombu's priority steps."""
    if len(envelopes) == 1:  # as of all calls that are sent by themselves
        return [_write(envelopes[0], new_id(), steps, celery_workers)]
    tags = new_ids(len(envelopes))
    return [_write(envelope, tag, steps, celery_workers) for envelope, tag in zip(envelopes, tags, strict=True)]


def _write(envelope: Envelope, tag: str, steps: Sequence[int], celery_workers: bool) -> Written:
    properties, queue = envelope.properties, envelope.queue
    wire = properties.get("priority", 0) if properties else 0
    step, wire = _step(envelope.priority, wire if type(wire) is int else 0, steps, celery_workers)
    info = {"exchange": envelope.exchange, "routing_key": envelope.routing_key or queue}
    told: _Properties | dict[str, Any]
    if properties:
        told = {"correlation_id": envelope.id, "reply_to": envelope.reply_to, "delivery_mode": 2, **properties}
        told |= {"delivery_info": info, "priority": wire, "body_encoding": "base64", "delivery_tag": tag}
    else:
        told = _Properties(envelope.id, 2, info, wire, "base64", tag, envelope.reply_to)
    body, headers = envelope.body, msgspec.Raw(envelope.headers)
    large = fast(body)
    try:
        element = _encode(_Written(b"" if large else body, envelope.content_encoding, envelope.content_type, headers, told))
    except (TypeError, ValueError) as error:
        raise BrokerRefused(f"the properties of task {envelope.id} do not go into JSON: {error}") from error
    if large:
        element = filled(element, body, large)
    due = envelope.due
    if due is not None:
        element = b'{"umbel":[0,0,null,%b],%b' % (repr(due).encode(), element[1:])
    if len(element) >= LONGEST:
        raise BrokerRefused(
            f"task {envelope.id} is {len(element) >> 20} MB long, and Redis takes 512: store it elsewhere, send its name"
        )
    return Written(queue, step, None if celery_workers else due, tag, element)


def _step(priority: int, wire: int, steps: Sequence[int], celery_workers: bool) -> tuple[str, int]:
    """The step, and the priority on the wire."""
    if priority > 0 and not celery_workers:
        return f"+{min(priority, 9)}", 0
    if priority > 0 or wire <= 0:
        return PLAIN, 0
    return celery_step(wire, steps), wire


def celery_step(priority: Any, steps: Sequence[int]) -> str:
    """Where kombu puts a message that Celery gave this priority."""
    if type(priority) is not int or priority <= 0:
        return PLAIN
    return str(max((step for step in steps if step <= priority), default=0))


def read(element: bytes, queue: str, step: str) -> tuple[Envelope, Past | None]:
    """The envelope in an element, and its past if it has one; raises DecodeError if there is none."""
    found, headers, (id, reply_to, exchange, routing_key, further) = _usual(element) or _unusual(element)
    past = found.umbel
    envelope = Envelope(
        id,
        queue,
        headers,
        found.body,
        found.content_type,
        found.content_encoding,
        int(step) if step[0] == "+" else 0,
        None if past is None else past[3],
        reply_to,
        exchange,
        "" if routing_key == queue else routing_key,
        further,
    )
    return envelope, past


def _usual(element: bytes) -> tuple[_UsualElement, bytes, _Facts] | None:
    """An element, its headers and its facts; None if there is anything unusual about it."""
    try:
        found = _in_two(element, large) if (large := fast(element)) else _decode_usual(element)
        headers = bytes(found.headers)
        if headers[:1] != b"{":
            return None
        name = _decode_name(headers).id
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    properties = found.properties
    correlation, info = properties.correlation_id, properties.delivery_info
    id = name or correlation or properties.delivery_tag
    further = {} if correlation == id or not correlation else {"correlation_id": correlation}
    return found, headers, (id, properties.reply_to, info.exchange, info.routing_key, further)


def _unusual(element: bytes) -> tuple[_Element, bytes, _Facts]:
    """The same of any other; raises DecodeError if it is no message."""
    try:
        found = _with_properties(element) or _python(element)
        headers = bytes(found.headers)
        return found, headers, _facts(found.properties, headers)
    except KeyError as error:
        raise DecodeError(f"no message: it has no {error}") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DecodeError(f"no message: {error}") from error


def _in_two(element: bytes, large: Any) -> _UsualElement:
    """An element in the usual language, its body by itself. Raises ValueError if there is anything unusual about that."""
    front = _BODY.match(element)
    if front is None:
        return _decode_usual(element)
    start = front.end()
    end = element.index(b'"', start)
    found = _decode_usual(b"%b%b" % (element[:start], element[end:]))
    found.body = large.b64decode(memoryview(element)[start:end], validate=True)
    return found


def _with_properties(element: bytes) -> _Element | None:
    """An element with unusual properties, its headers as they stand there; None if more than that is unusual."""
    try:
        found = _decode(element)
        return found if _is_base64(found.properties) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _python(element: bytes) -> _Element:
    """The same by Python's own means: it takes a body that is not told in base64, NaN, and lone surrogates."""
    parts = json.loads(element)
    properties, headers = parts["properties"], json.dumps(parts["headers"]).encode()
    body = base64.b64decode(parts["body"], validate=True) if _is_base64(properties) else parts["body"].encode()
    kind, codec, past = parts["content-type"], parts["content-encoding"], parts.get("umbel")
    return _Element(body, _text(codec), _text(kind), msgspec.Raw(headers), properties, msgspec.convert(past, Past | None))


def _is_base64(properties: dict[str, Any]) -> bool:
    return properties.get("body_encoding") == "base64"


def _facts(properties: dict[str, Any], headers: bytes) -> _Facts:
    if headers[:1] != b"{":
        raise TypeError("its headers are no object")
    correlation = properties.get("correlation_id") or ""
    id = _name(headers) or correlation or properties.get("delivery_tag") or ""
    info = properties.get("delivery_info") or {}
    exchange, routing_key = info.get("exchange") or "", info.get("routing_key") or ""
    wire = properties.get("priority") or 0
    further = {name: value for name, value in properties.items() if name not in _STANDARD} if len(properties) > 6 else {}
    if correlation != id and correlation:
        further["correlation_id"] = correlation
    if properties.get("delivery_mode", 2) != 2:
        further["delivery_mode"] = properties["delivery_mode"]
    if wire:
        further["priority"] = wire
    return _text(id), _text(properties.get("reply_to") or ""), _text(exchange), _text(routing_key), further


def _name(headers: bytes) -> str | None:
    try:
        return _decode_name(headers).id
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(headers), _Named).id


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r:.50} should be text")
    if not value.isascii():
        value.encode()  # half of a surrogate pair can go nowhere from here
    return value


def strange(element: bytes, queue: str) -> Envelope:
    """What is shown of an element that is no message."""
    named = _CORRELATION.search(element)
    return Envelope(named[1].decode() if named else "", queue, b"{}", element, "application/octet-stream", "binary")
