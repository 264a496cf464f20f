"""The result document: what is kept of a finished (or started, or retried) task, as Celery writes it.

    {"status", "result", "traceback", "children", "date_done", "task_id"}     always
    {"parent_id", "group_id", "name", "args", "kwargs", "worker", "retries", "queue", …}     where there is such a thing

An exception travels as `{"exc_type", "exc_message", "exc_module"}`; umbel's own under the names that Celery gives them.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from umbel import clock, errors, states
from umbel.errors import DecodeError, EncodeError
from umbel.wire import encoding
from umbel.wire.brief import brief

_CELERY = "celery.exceptions"
_BILLIARD = "billiard.exceptions"
_BILLIARD_NAMES = frozenset({"SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated"})
_CELERY_KINDS = (errors.TaskError, errors.TaskPredicate, errors.ImproperlyConfigured)
_OURS: dict[tuple[str, str], type[BaseException]] = {
    (_BILLIARD if name in _BILLIARD_NAMES else _CELERY, name): kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, _CELERY_KINDS)
}
_WIRE_NAMES = {kind: names for names, kind in _OURS.items()}
_encode_text = msgspec.json.Encoder().encode


class Result(msgspec.Struct, array_like=True, gc=False):
    """What became of one task: its state in the clear, and the document as bytes."""

    id: str
    state: str
    document: bytes
    """The whole document (`status`, `result`, `traceback`, `children`, `date_done`, `task_id` …), in the result serializer."""


@dataclasses.dataclass(slots=True)
class Document:
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


# --- writing ---------------------------------------------------------------------------------------------------------------------


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
    done = clock.utc().isoformat() if state in states.READY_STATES else None
    if (
        serializer == "json"
        and done
        and not (traceback or children or parent_id or group_id or extra)
        and encoding.is_plain(value)
    ):
        packed = _pack_plain(id, state, value, done, children is None)
        if packed is not None:
            return Result(id, state, packed)
    if isinstance(value, BaseException):
        value = _exception_out(value, serializer)
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


def _pack_plain(name: str, state: str, value: Any, done: str, is_childless: bool) -> bytes | None:
    """The document of a plain value, joined from its pieces; None if msgspec refuses it."""
    try:
        text, key = _encode_text(value), _encode_text(name)
    except ValueError:  # lone surrogates
        return None
    children = b"null" if is_childless else b"[]"
    return b'{"status":"%b","result":%b,"traceback":null,"children":%b,"date_done":"%b","task_id":%b}' % (
        state.encode(),  # one of READY_STATES: nothing to escape
        text,
        children,
        done.encode(),
        key,
    )


def _pack(document: dict[str, Any], serializer: str) -> bytes:
    try:
        return encoding.dumps(document, serializer)[2]
    except EncodeError:
        for name, part in document.items():  # once more one by one, for an error that names the part
            encoding.dumps(part, serializer, name=name)
        raise


def _exception_out(failure: BaseException, serializer: str) -> Any:
    """What stands for an exception: the wire's three keys, or with pickle itself, if it survives that."""
    if serializer == "pickle" and _survives_pickle(failure):
        return failure
    kind = type(failure)
    module, name = _WIRE_NAMES.get(kind) or (kind.__module__, kind.__qualname__)
    return {"exc_type": name, "exc_message": [_safe(part, serializer) for part in failure.args], "exc_module": module}


def _safe(part: Any, serializer: str) -> Any:
    """An argument of an exception, or its repr if it cannot travel."""
    try:
        encoding.dumps(part, serializer)
    except EncodeError:
        return brief(part)
    return part


def _survives_pickle(failure: BaseException) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(failure))) is type(failure)
    except Exception:  # noqa: BLE001 - a class that cannot be pickled may raise anything
        return False


# --- reading ---------------------------------------------------------------------------------------------------------------------


def decode(result: Result, accept: frozenset[str], serializer: str = "json") -> Document:
    """The document of `result`, which `serializer` wrote."""
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


_OPTIONAL = frozenset(field.name for field in dataclasses.fields(Document)) - {"task_id", "status", "result", "date_done"}
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


def exception_in(told: Mapping[str, Any]) -> BaseException:
    """The exception of a result.

    Its class is looked up in modules that are imported already, never imported; what is not there, is no exception class or
    cannot be built from the arguments becomes a new class of the same name.
    """
    name, module = str(told.get("exc_type")), told.get("exc_module")
    args = told.get("exc_message")
    args = tuple(args) if isinstance(args, (list, tuple)) else () if args is None else (args,)
    module = module if isinstance(module, str) else _CELERY
    kind = _find(module, name)
    built = _build(kind, args) if kind else None
    return built if built is not None else _stranger(module, name)(*args)


def _find(module: str, name: str) -> type[BaseException] | None:
    """The class, without running anything: neither imports nor `__getattr__` of modules and classes."""
    ours = _OURS.get((module, name))
    if ours:
        return ours
    place: Any = sys.modules.get(module)
    if not isinstance(place, ModuleType):
        return None
    place = object.__getattribute__(place, "__dict__").get(name.split(".")[0])
    for part in name.split(".")[1:]:
        place = type.__getattribute__(place, "__dict__").get(part) if isinstance(place, type) else None
    return place if isinstance(place, type) and issubclass(place, BaseException) else None


def _build(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException | None:
    """An instance whose `str` works; past the constructor if that wants other arguments."""
    makers: tuple[Callable[[], Any], ...] = (lambda: kind(*args), lambda: kind.__new__(kind, *args))
    for make in makers:
        try:
            built = make()
            str(built)
        except Exception:  # noqa: BLE001, S112 - constructors of the user's may raise anything
            continue
        if isinstance(built, BaseException):
            return built
    return None


@functools.lru_cache(maxsize=256)
def _stranger(module: str, name: str) -> type[Exception]:
    """A class for an exception that this process does not know."""
    try:
        return type(
            name.rpartition(".")[2], (Exception,), {"__module__": module, "__qualname__": name, "__doc__": "Unknown here."}
        )
    except (ValueError, TypeError):  # NUL or lone surrogates in the name
        return _stranger(module, ascii(name))
