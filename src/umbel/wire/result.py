"""The result document: what is kept of a finished (or started, or retried) task, as Celery writes it.

{"status", "result", "traceback", "children", "date_done", "task_id"}     always
{"parent_id", "group_id", "name", "args", "kwargs", "worker", "retries", "queue", …}     where there is such a thing
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any

import msgspec

from umbel import clock, states
from umbel.errors import DecodeError, EncodeError
from umbel.wire import encoding
from umbel.wire.brief import brief
from umbel.wire.failure import exception_in, exception_out
from umbel.wire.typed_json import ESCAPED_MARK, MARK, is_plain

_encode_text = msgspec.json.Encoder().encode
_ATOMS = frozenset({str, int, bool, NoneType})
_second = (0, "1970-01-01T00:00:00")
"""The second in which the last result was written, and how it is spelled."""


class Result(msgspec.Struct, array_like=True, gc=False):
    """What became of one task: its state in the clear, and the document as bytes."""

    id: str
    state: str
    document: bytes
    """The whole document (`status`, `result`, `traceback`, `children`, `date_done`, `task_id` …), in the result serializer."""


class Document(msgspec.Struct):
    """A result document as Python values."""

    task_id: str
    status: str
    result: Any
    """The value, or the exception rebuilt."""
    traceback: str | None = None
    children: Any = None
    """Result tuples (`[[id, parent], children]`), as Celery nests them."""
    date_done: str | None = None
    """When, in ISO 8601; only of final states."""
    parent_id: str | None = None
    group_id: str | None = None
    name: str | None = None
    args: Any = None
    kwargs: Any = None
    worker: str | None = None
    retries: int | None = None
    queue: str | None = None


def encode(
    id: str,
    state: str,
    value: Any,
    *,
    traceback: str | None = None,
    children: Iterable[Any] | None = (),
    serializer: str = "json",
    parent_id: str | None = None,
    group_id: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Result:
    """The document of one state of a task; `value` is anything that the serializer takes, or an exception."""
    global _second
    is_final = state in states.READY_STATES
    done = None
    if is_final:  # as `isoformat` spells it, in a third of the time: nearly always the second is that of the result before
        second, micros = divmod(round(clock.now() * 1e6), 1_000_000)
        known, spelled = _second
        if second != known:
            spelled = datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()[:19]
            _second = second, spelled
        done = f"{spelled}.{micros:06d}+00:00" if micros else f"{spelled}+00:00"
    if (
        serializer == "json"
        and done
        and not (traceback or children or parent_id or group_id or extra)
        and (type(value) in _ATOMS or is_plain(value))
    ):
        try:
            return Result(
                id,
                state,
                b'{"status":"%b","result":%b,"traceback":null,"children":%b,"date_done":"%b","task_id":%b}'
                % (
                    state.encode(),  # one of READY_STATES: nothing to escape
                    _encode_text(value),
                    b"null" if children is None else b"[]",
                    done.encode(),
                    _encode_text(id),
                ),
            )
        except (ValueError, RecursionError):  # json knows better
            pass
    if isinstance(value, BaseException):
        value = exception_out(value, serializer)
    elif hasattr(type(value), "as_tuple"):  # a result, which a task may return: `[[id, parent], children]`
        value = value.as_tuple()
    document = {
        "status": state,
        "result": value,
        "traceback": traceback,
        "children": None if children is None else list(children),
        "date_done": done,
        "task_id": id,
        **({"parent_id": parent_id} if parent_id else {}),
        **({"group_id": group_id} if group_id else {}),
        **(extra or {}),
    }
    return Result(id, state, _pack(document, serializer))


def _pack(document: dict[str, Any], serializer: str) -> bytes:
    try:
        return encoding.dumps(document, serializer)[2]
    except EncodeError as error:
        failure = error
    for name, part in document.items():  # once more one by one, for an error that names the part, and is the only one told
        encoding.dumps(part, serializer, name=name)
    raise failure


def decode(result: Result, accept: frozenset[str], serializer: str = "json") -> Document:
    """The document of `result`, which `serializer` wrote."""
    raw = result.document
    if (
        serializer == "json"
        and encoding.JSON.content_type in accept
        and encoding.by_type.get(encoding.JSON.content_type) is encoding.JSON
        and not (MARK in raw or ESCAPED_MARK in raw)
    ):
        try:
            document = _decode_plain(raw)
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass  # something is unusual, or wrong: the patient way reads it, or names it
        else:
            if document.status not in states.EXCEPTION_STATES:
                return document
    return _decode_patiently(result, accept, serializer)


def _decode_patiently(result: Result, accept: frozenset[str], serializer: str) -> Document:
    found = encoding.loads(result.document, *encoding.content_type(serializer), accept)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise DecodeError(f"the result of task {result.id} is no object: {brief(found, 200)}")
    done = found.get("date_done")
    if isinstance(done, datetime.datetime):  # pickle and yaml keep it as one
        done = done.isoformat()
    status = found.get("status", result.state)
    known = {name: found[name] for name in _OPTIONAL if name in found}
    return _checked(
        Document(found.get("task_id", result.id), status, _value(status, found.get("result")), date_done=done, **known)
    )


_decode_plain = msgspec.json.Decoder(Document).decode
_OPTIONAL = frozenset(Document.__struct_fields__) - {"task_id", "status", "result", "date_done"}
_TEXTS = ("task_id", "status", "traceback", "date_done", "parent_id", "group_id", "name", "worker", "queue")


def _checked(document: Document) -> Document:
    for name in _TEXTS:
        value = getattr(document, name)
        if type(value) is not str and (value is not None or name in ("task_id", "status")):
            raise DecodeError(f"the result of a task has {name} = {brief(value, 100)}, which is no text")
    if document.retries is not None and type(document.retries) is not int:
        raise DecodeError(
            f"the result of task {document.task_id} has retries = {brief(document.retries, 100)}, which is no number"
        )
    return document


def _value(status: Any, value: Any) -> Any:
    """The result itself; exceptions are rebuilt."""
    is_exception = isinstance(status, str) and status in states.EXCEPTION_STATES
    if is_exception and isinstance(value, dict) and isinstance(value.get("exc_type"), str):
        return exception_in(value)
    return value
