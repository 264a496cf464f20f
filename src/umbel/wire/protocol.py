"""Messages to envelopes and back: Celery's message protocol 2 written and read, protocol 1 and the hybrid of both read.

protocol 2   headers {"task": …, "id": …, …}    body [args, kwargs, {"callbacks", "errbacks", "chain", "chord"}]
hybrid       headers as in protocol 2           body {"args", "kwargs", "callbacks", …}
protocol 1   headers without "task"             body {"task", "id", "args", "kwargs", "retries", "eta", "callbacks", …}
"""

from __future__ import annotations

import copy
import datetime
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import NoneType
from typing import Any, TypeVar

import msgspec

from umbel import clock
from umbel.errors import DecodeError, EncodeError
from umbel.wire import compression as packing
from umbel.wire import encoding
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope
from umbel.wire.host import host_name
from umbel.wire.ids import new_ids
from umbel.wire.message import Described, Embed, Headers, Label, Message
from umbel.wire.typed_json import ESCAPED_MARK, MARK, is_plain, to_json

_FIELDS = frozenset(Headers.__struct_fields__)
_EMBED_FIELDS = Embed.__struct_fields__
_NO_EMBED = Embed()
_T = TypeVar("_T")


class _Among(Headers, forbid_unknown_fields=False):
    """The known headers, among others that nobody asks for."""


_encode = msgspec.json.Encoder().encode
_decode_headers = msgspec.json.Decoder(Headers).decode
_decode_label = msgspec.json.Decoder(Label).decode
_decode_described = msgspec.json.Decoder(Described).decode
_decode_among = msgspec.json.Decoder(_Among).decode
_decode_fields: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
_decode_call = msgspec.json.Decoder(tuple[list[Any], dict[str, Any], Embed]).decode
_ATOMS = frozenset({str, int, bool, NoneType})
_NAMES = frozenset({str})
_SEQUENCES = frozenset({tuple, list})
_FEW_BYTES = 256
"""Of JSON in ASCII: the repr of what they hold is within the limit of `brief`, as no character takes more than four there."""
_UNDERSCORE, _BACKSLASH = MARK[0], ESCAPED_MARK[0]
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def origin() -> str:
    """Who sends: `gen<pid>@<host>`."""
    return f"gen{os.getpid()}@{_HOST}"


_HOST = host_name()


def when(text: str | None) -> float | None:
    """An `eta` or `expires` header as seconds since the epoch; without an offset it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return (aware - _EPOCH).total_seconds()
    except (ValueError, TypeError, OverflowError) as failure:
        raise DecodeError(f"{brief(text, 100)} is no time in ISO 8601") from failure


def encode(
    message: Message,
    *,
    queue: str,
    serializer: str = "json",
    compression: str | None = None,
    priority: int = 0,
    due: float | None = None,
    exchange: str = "",
    routing_key: str = "",
    reply_to: str = "",
    properties: Mapping[str, Any] | None = None,
) -> Envelope:
    """The message as bytes, addressed.

    Fills what the headers leave open: `root_id` (its own id), `argsrepr`, `kwargsrepr`, `origin`.
    """
    kind, codec, body = _body(message, serializer)
    headers = copy.copy(message.headers)
    _check_id(headers.id)
    if compression:
        body, headers.compression = packing.compress(body, compression)
    _complete(headers, message)
    packed = _pack_headers(headers, message.extra)
    publish = _properties(headers, properties)
    return Envelope(headers.id, queue, packed, body, kind, codec, priority, due, reply_to, exchange, routing_key, publish)


def _check_id(id_: str) -> None:
    try:
        id_.encode()
    except (AttributeError, UnicodeEncodeError) as failure:
        raise EncodeError(f"the task id must be text that UTF-8 has, not {brief(id_, 100)}") from failure


def _complete(headers: Headers, message: Message) -> None:
    headers.root_id = headers.root_id or headers.id
    headers.origin = headers.origin or origin()
    if headers.argsrepr is None:
        headers.argsrepr = brief(message.args)
    if headers.kwargsrepr is None:
        headers.kwargsrepr = brief(message.kwargs)


def _body(message: Message, serializer: str) -> tuple[str, str, bytes]:
    """Content type, content encoding and bytes of the payload."""
    embed = message.embed
    if serializer == "json" and embed == _NO_EMBED and is_plain(message.args) and is_plain(message.kwargs):
        try:
            return "application/json", "utf-8", _encode([message.args, message.kwargs, embed])
        except (ValueError, RecursionError):  # json knows better
            pass
    parts = {"args": message.args, "kwargs": message.kwargs, "options": _as_dict(embed)}
    try:
        return encoding.dumps(list(parts.values()), serializer)
    except EncodeError:
        for name, part in parts.items():  # once more one by one, for an error that names the part
            encoding.dumps(part, serializer, name=name)
        raise


def _as_dict(embed: Embed) -> dict[str, Any]:
    return {"callbacks": embed.callbacks, "errbacks": embed.errbacks, "chain": embed.chain, "chord": embed.chord}


def _pack_headers(headers: Headers, extra: Mapping[str, Any]) -> bytes:
    """Headers as a JSON object; custom ones behind the known, which they cannot replace."""
    if not extra and not headers.stamps:
        try:
            return _encode(headers)
        except (ValueError, TypeError, RecursionError):  # json knows better, or says better
            pass
    fields: dict[str, Any] = msgspec.structs.asdict(headers)
    known = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    custom = {name: value for name, value in extra.items() if name not in _FIELDS}
    return encoding.dumps({**known, **custom}, name="headers")[2]


def _properties(headers: Headers, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Publish properties: those given, and for how many milliseconds the message is of use."""
    publish = _travelling(given) if given else {}
    expires = when(headers.expires)
    if expires is not None and "expiration" not in publish:
        publish["expiration"] = str(max(0, int((expires - clock.now()) * 1000)))
    return publish


def _travelling(given: Mapping[str, Any]) -> dict[str, Any]:
    """The properties as each store can write them; anybody may have put anything into them."""
    data = encoding.dumps(dict(given), name="properties")[2]
    try:
        found = _decode_fields(data)
        msgspec.msgpack.encode(found)
    except (ValueError, OverflowError, RecursionError) as failure:
        raise EncodeError(f"properties {brief(given, 100)} cannot be sent: {failure}") from failure
    return found


class Template:
    """All that calls of one task with the same options share, serialised once; `fill` adds what differs.

    Any thread may use it. `id`, `args` and `kwargs` of the message it is made from do not count; `argsrepr`, `kwargsrepr` and
    a `root_id` other than its own id are kept for all calls.
    """

    def __init__(
        self,
        message: Message,
        *,
        queue: str,
        serializer: str = "json",
        compression: str | None = None,
        priority: int = 0,
        due: float | None = None,
        exchange: str = "",
        routing_key: str = "",
        reply_to: str = "",
        properties: Mapping[str, Any] | None = None,
    ):
        self._message = message
        self._queue = queue
        self._serializer = serializer
        self._content = encoding.content_type(serializer)
        self._compression = compression
        self._address = (priority, due, reply_to, exchange, routing_key)
        self._properties = _travelling(properties) if properties else {}
        self._tail = _tail(message.embed) if serializer == "json" else b""
        self._pid, self._pieces = os.getpid(), self._header_pieces()
        """The headers, and the process whose `origin` they tell."""

    def fill(self, id: str, args: Any, kwargs: dict[str, Any]) -> Envelope:
        """The envelope of one call."""
        if self._pid != os.getpid():
            self._pid, self._pieces = os.getpid(), self._header_pieces()
        if not (type(id) is str and id.isascii()):
            _check_id(id)
        start, between, root, behind, argsrepr, middle, kwargsrepr, end = self._pieces
        priority, due, reply_to, exchange, routing_key = self._address
        name = _encode(id)
        written = _written(args, kwargs, self._tail) if self._tail else None
        args_text, kwargs_text, body = written or self._write(args, kwargs)
        headers = b"".join(
            (start, name, between, root or name, behind, argsrepr or args_text, middle, kwargsrepr or kwargs_text, end)
        )
        if self._compression:
            body, _ = packing.compress(body, self._compression)
        known = self._message.headers
        publish = dict(self._properties) if known.expires is None else _properties(known, self._properties)
        kind, codec = self._content
        return Envelope(id, self._queue, headers, body, kind, codec, priority, due, reply_to, exchange, routing_key, publish)

    def fill_many(self, calls: Iterable[tuple[Any, dict[str, Any]]]) -> list[Envelope]:
        """An envelope for each of the calls, with new ascending ids."""
        known = calls if isinstance(calls, (list, tuple)) else list(calls)
        if self._pid != os.getpid():
            self._pid, self._pieces = os.getpid(), self._header_pieces()
        start, between, root, behind, argsrepr, middle, kwargsrepr, end = self._pieces
        queue, tail, (kind, codec) = self._queue, self._tail, self._content
        priority, due, reply_to, exchange, routing_key = self._address
        publish = _properties(self._message.headers, self._properties)
        empty = self._write((), {})
        filled = []
        for id_, (args, kwargs) in zip(new_ids(len(known)), known, strict=True):
            name = _encode(id_)
            written = empty if not (args or kwargs) else _written(args, kwargs, tail) if tail else None
            args_text, kwargs_text, body = written or self._write(args, kwargs)
            headers = b"".join(
                (start, name, between, root or name, behind, argsrepr or args_text, middle, kwargsrepr or kwargs_text, end)
            )
            if self._compression:
                body, _ = packing.compress(body, self._compression)
            filled.append(
                Envelope(id_, queue, headers, body, kind, codec, priority, due, reply_to, exchange, routing_key, publish)
            )
        return filled

    def _write(self, args: Any, kwargs: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
        """What `_written` gives, of any call."""
        message = Message(headers=self._message.headers, args=args, kwargs=kwargs, embed=self._message.embed)
        body = _packed(args, kwargs, self._tail) or _body(message, self._serializer)[2]
        return _encode(brief(args)), _encode(brief(kwargs)), body

    def _header_pieces(self) -> list[bytes]:
        """The headers, cut where a call's own values belong; constant values stand where they are not the call's own."""
        given = self._message.headers
        headers = copy.copy(given)
        headers.id, headers.root_id, headers.argsrepr, headers.kwargsrepr = holes = new_ids(4)
        headers.origin = given.origin or origin()
        if self._compression:
            _, headers.compression = packing.compress(b"", self._compression)
        rest = _pack_headers(headers, self._message.extra)
        parts = []
        for hole in holes:
            part, rest = rest.split(_encode(hole), 1)
            parts.append(part)
        root = b"" if given.root_id in (None, "", given.id) else to_json(given.root_id)
        argsrepr, kwargsrepr = (to_json(text) if text is not None else b"" for text in (given.argsrepr, given.kwargsrepr))
        return [parts[0], parts[1], root, parts[2], argsrepr, parts[3], kwargsrepr, rest]


def _tail(embed: Embed) -> bytes:
    """The end of a JSON payload, behind args and kwargs."""
    return b"," + encoding.dumps(_as_dict(embed), name="options")[2] + b"]"


def _written(args: Any, kwargs: dict[str, Any], tail: bytes) -> tuple[bytes, bytes, bytes] | None:
    """`argsrepr`, `kwargsrepr` and the JSON body of a call with a few small values, as most have; None for any other."""
    if type(args) not in _SEQUENCES or type(kwargs) is not dict or not _ATOMS.issuperset(map(type, args)):
        return None
    if kwargs and not (_NAMES.issuperset(map(type, kwargs)) and _ATOMS.issuperset(map(type, kwargs.values()))):
        return None
    try:
        call = _encode((args, kwargs))
    except (ValueError, RecursionError):  # json knows better
        return None
    if len(call) > _FEW_BYTES or not call.isascii():
        return None
    kwargs_text = _encode(repr(kwargs)) if kwargs else b'"{}"'
    return _encode(repr(args)) if args else b'"()"', kwargs_text, call[:-1] + tail


def _packed(args: Any, kwargs: dict[str, Any], tail: bytes) -> bytes | None:
    """A JSON payload; None if there is no `tail` for one, or msgspec must not write it."""
    if not (tail and is_plain(args) and is_plain(kwargs)):
        return None
    try:
        return _encode((args, kwargs))[:-1] + tail
    except (ValueError, RecursionError):  # json knows better
        return None


def label(envelope: Envelope, accept: frozenset[str]) -> Label:
    """The headers by which a worker decides. They take two thirds of the time of all, and a quarter of their memory."""
    try:
        return _decode_label(envelope.headers)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass  # protocol 1, or bytes that only the patient way can read or name
    found = headers(envelope, accept)
    return Label(found.task, found.id, found.shadow, found.eta, found.expires, found.timelimit, found.ignore_result)


def described(envelope: Envelope, accept: frozenset[str]) -> Described:
    """The same, and what is told of a message. What cannot be read of that does not count: it says nothing of how it runs."""
    try:
        return _decode_described(envelope.headers)
    except (msgspec.DecodeError, ValueError, RecursionError):
        known = label(envelope, accept)
    found = Described(known.task, known.id, known.shadow, known.eta, known.expires, known.timelimit, known.ignore_result)
    with suppress(DecodeError):
        whole = headers(envelope, accept)
        found.argsrepr, found.kwargsrepr = whole.argsrepr, whole.kwargsrepr
        found.root_id, found.parent_id, found.retries = whole.root_id, whole.parent_id, whole.retries
    return found


def headers(envelope: Envelope, accept: frozenset[str]) -> Headers:
    """The headers alone: cheap, as the body stays closed unless it is protocol 1's, which has them inside."""
    raw = envelope.headers
    try:
        try:
            known = _decode_headers(raw)
        except msgspec.ValidationError:  # most likely there are custom ones
            known = _decode_among(raw)
        if not known.stamps or MARK not in raw:
            return known
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass  # protocol 1, or bytes that only the patient way below can read or name
    found = _header_dict(raw)
    return _headers(found if "task" in found else _protocol_1(_payload(envelope, found, accept)))


def decode(envelope: Envelope, accept: frozenset[str]) -> Message:
    """The whole message."""
    head, body, kind = envelope.headers, envelope.body, envelope.content_type
    if (
        kind in accept
        and encoding.by_type.get(kind) is encoding.JSON
        and envelope.content_encoding == "utf-8"
        # One byte is found in a third of the time that several take, and these are rare here.
        and not (_UNDERSCORE in body and MARK in body)
        and not (_BACKSLASH in body and ESCAPED_MARK in body)
    ):
        extra: dict[str, Any] = {}
        try:
            try:
                known = _decode_headers(head)
            except msgspec.ValidationError:  # most likely there are custom ones
                known, extra = _headers_and_custom(head)
            args, kwargs, embed = _decode_call(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass  # something is unusual, or wrong: the patient way reads it, or names it
        else:
            if not (known.compression or (known.stamps and (MARK in head or ESCAPED_MARK in head))):
                return Message(known, args, kwargs, embed, extra)
    return _decode_patiently(envelope, accept)


def _headers_and_custom(raw: bytes) -> tuple[Headers, dict[str, Any]]:
    """The known headers and the others; ValueError if there may be typed values among these."""
    if MARK in raw or ESCAPED_MARK in raw:
        raise ValueError("typed values")
    found = _decode_fields(raw)
    extra = {name: found.pop(name) for name in found.keys() - _FIELDS}
    return msgspec.convert(found, Headers), extra


def _decode_patiently(envelope: Envelope, accept: frozenset[str]) -> Message:
    found = _header_dict(envelope.headers)
    payload = _payload(envelope, found, accept)
    if "task" not in found:
        payload = _protocol_1(payload)
        return _message(_headers(payload), payload, payload, found)
    if isinstance(payload, dict):
        return _message(_headers(found), payload, payload, found)
    if not isinstance(payload, (list, tuple)) or len(payload) != 3:
        raise DecodeError(f"the body is no [args, kwargs, embed]: {brief(payload, 200)}")
    args, kwargs, embed = payload
    return _message(_headers(found), {"args": args, "kwargs": kwargs}, embed or {}, found)


def _header_dict(raw: bytes) -> dict[str, Any]:
    found = encoding.loads(raw, "application/json", "utf-8", _JSON_ONLY)
    if not isinstance(found, dict):
        raise DecodeError(f"the headers are no object: {brief(found, 200)}")
    return found


_JSON_ONLY = frozenset({"application/json"})


def _payload(envelope: Envelope, found: dict[str, Any], accept: frozenset[str]) -> Any:
    """What is in the body."""
    body, how = envelope.body, found.get("compression")
    if how:
        if not isinstance(how, str):
            raise DecodeError(f"the header `compression` is no text: {brief(how, 100)}")
        body = packing.decompress(body, how)
    return encoding.loads(body, envelope.content_type, envelope.content_encoding, accept)


def _protocol_1(payload: Any) -> dict[str, Any]:
    """The payload of a protocol 1 message, with names of protocol 2."""
    if not isinstance(payload, dict) or "task" not in payload:
        raise DecodeError(f"neither headers nor body name a task; the body holds {brief(payload, 200)}")
    return {**payload, "group": payload.get("group") or payload.get("taskset")}


def _headers(found: Mapping[str, Any]) -> Headers:
    known = {name: value for name, value in found.items() if name in _FIELDS and value is not None}  # null is as good as absent
    return _convert(known, Headers, "headers")


def _message(known: Headers, call: Mapping[str, Any], embed: Any, found: dict[str, Any]) -> Message:
    args, kwargs = call.get("args"), call.get("kwargs")
    args, kwargs = [] if args is None else args, {} if kwargs is None else kwargs
    if not isinstance(args, (list, tuple)):
        raise DecodeError(f"the arguments are no array: {brief(args, 200)}")
    if not isinstance(kwargs, dict) or not all(isinstance(name, str) for name in kwargs):
        raise DecodeError(f"the keyword arguments are no object with names: {brief(kwargs, 200)}")
    if embed == _PLAIN_EMBED:
        follow = Embed()
    elif isinstance(embed, Mapping):
        follow = _convert({name: embed.get(name) for name in _EMBED_FIELDS}, Embed, "embed")
    else:
        raise DecodeError(f"callbacks and chain are no object: {brief(embed, 200)}")
    extra = {name: found[name] for name in found.keys() - _FIELDS}
    return Message(known, args, kwargs, follow, extra)


_PLAIN_EMBED: dict[str, Any] = dict.fromkeys(_EMBED_FIELDS)


def _convert(value: Any, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError, RecursionError) as failure:
        raise DecodeError(f"the {what} do not fit: {failure}") from failure


def redelivered(envelope: Envelope, *, due: float | None) -> Envelope:
    """The same message, once more, not before `due`; it says that it was handed out before, as Celery's brokers do."""
    try:
        headers = msgspec.json.decode(envelope.headers)
        written = msgspec.json.encode({**headers, "redelivered": True})
    except (msgspec.MsgspecError, TypeError, UnicodeDecodeError):  # none of ours: as it came
        written = envelope.headers
    return msgspec.structs.replace(envelope, headers=written, due=due)
