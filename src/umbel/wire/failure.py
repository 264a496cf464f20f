"""Exceptions in results: `{"exc_type", "exc_message", "exc_module"}`, umbel's own under the names that Celery gives them.

What an exception has beside its arguments stands in further keys, which Celery passes over: `exc_cause` and `exc_context` (what
it came from, in the same form), `exc_group` (those of an ExceptionGroup) and `exc_notes`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeGuard

from umbel.errors import EncodeError
from umbel.wire import encoding
from umbel.wire.brief import brief, encodable
from umbel.wire.exception_names import CELERY, ours, wire_names


def exception_out(failure: BaseException, serializer: str) -> Any:
    """What stands for an exception: the wire's three keys, or with pickle itself, if it survives that."""
    kind = type(failure)
    if serializer == "pickle" and kind not in wire_names() and _survives_pickle(failure):
        return failure
    return _Writer(serializer).keys_of(failure, 0)


MOST = 100
"""Exceptions that are told of one failure: its causes and the members of groups."""
DEEPEST = 20
"""Steps from a failure to what it came from."""
_CAUSE, _CONTEXT, _SUPPRESS = (BaseException.__dict__[name] for name in ("__cause__", "__context__", "__suppress_context__"))
"""Past what a class has by these names: exceptions may be frozen."""


class _Writer:
    """Writes one failure, and what it came from, each exception once."""

    def __init__(self, serializer: str):
        self._serializer = serializer
        self._told: set[int] = set()

    def keys_of(self, failure: BaseException, depth: int) -> dict[str, Any]:
        """The keys of an exception."""
        self._told.add(id(failure))
        kind = type(failure)
        module, name = wire_names().get(kind) or (kind.__module__, kind.__qualname__)
        message = [_safe(part, self._serializer) for part in _args(failure)]
        told: dict[str, Any] = {"exc_type": name, "exc_message": message, "exc_module": module}
        if isinstance(failure, BaseExceptionGroup):
            members = [self.keys_of(each, depth + 1) for each in failure.exceptions if self._is_new(each, depth)]
            if members:
                told["exc_group"] = members
        cause, context = _CAUSE.__get__(failure), _CONTEXT.__get__(failure)
        if cause is not None and self._is_new(cause, depth):
            told["exc_cause"] = self.keys_of(cause, depth + 1)
        elif context is not None and not _SUPPRESS.__get__(failure) and self._is_new(context, depth):
            told["exc_context"] = self.keys_of(context, depth + 1)
        notes = getattr(failure, "__notes__", None)
        if isinstance(notes, list) and notes:
            told["exc_notes"] = [brief(note, 10_000) if not isinstance(note, str) else encodable(note) for note in notes[:MOST]]
        return told

    def _is_new(self, failure: BaseException, depth: int) -> bool:
        return depth < DEEPEST and len(self._told) < MOST and id(failure) not in self._told


def _args(failure: BaseException) -> tuple[Any, ...]:
    """What the exception was made of, also where its class has something else by that name."""
    try:
        return tuple(failure.args)
    except Exception:
        found: tuple[Any, ...] = BaseException.args.__get__(failure)  # type: ignore[attr-defined]  # it is a descriptor
        return found


def _safe(part: Any, serializer: str) -> Any:
    """An argument of an exception, or its repr if it cannot travel."""
    try:
        encoding.dumps(part, serializer)
    except EncodeError:
        return brief(part)
    return part


def _survives_pickle(failure: BaseException) -> bool:
    import pickle  # few programs use it

    try:
        return type(pickle.loads(pickle.dumps(failure))) is type(failure)
    except Exception:  # a class that cannot be pickled may raise anything
        return False


def exception_in(told: Mapping[str, Any]) -> BaseException:
    """The exception of a result.

    Its class is looked up in modules that are imported already, never imported; what is not there, is no exception class or
    cannot be built from the arguments becomes a new class of the same name.
    """
    return _exception_in(told, 0)


def _exception_in(told: Mapping[str, Any], depth: int) -> BaseException:
    built = _built_from(told, depth)
    for key, place in (("exc_cause", _CAUSE), ("exc_context", _CONTEXT)):
        source = told.get(key)
        if _is_told(source) and depth < DEEPEST:
            place.__set__(built, _exception_in(source, depth + 1))
            _SUPPRESS.__set__(built, _CAUSE.__get__(built) is not None)
    notes = told.get("exc_notes")
    if isinstance(notes, list):
        with contextlib.suppress(Exception):  # a class that is frozen takes none
            for note in notes:
                built.add_note(str(note))
    return built


def _is_told(found: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(found, Mapping) and isinstance(found.get("exc_type"), str)


def _built_from(told: Mapping[str, Any], depth: int) -> BaseException:
    name, module = str(told.get("exc_type")), told.get("exc_module")
    args = told.get("exc_message")
    args = tuple(args) if isinstance(args, (list, tuple)) else () if args is None else (args,)
    module = module if isinstance(module, str) else CELERY
    kind = _find(module, name)
    members = told.get("exc_group")
    if isinstance(members, list) and depth < DEEPEST and (inner := [_exception_in(e, depth + 1) for e in members if _is_told(e)]):
        text = str(args[0]) if args else ""
        return _build_group(kind, text, inner) or _strange_group(module, name)(text, inner)
    built = _build(kind, args) if kind else None
    return built if built is not None else _stranger(module, name)(*args)


def _find(module: str, name: str) -> type[BaseException] | None:
    """The class, without running anything: neither imports nor `__getattr__` of modules and classes."""
    known = ours().get((module, name))
    if known:
        return known
    place: Any = sys.modules.get(module)
    if not isinstance(place, ModuleType):
        return None
    first, *inner = name.split(".")
    place = object.__getattribute__(place, "__dict__").get(first)
    for part in inner:
        place = type.__getattribute__(place, "__dict__").get(part) if isinstance(place, type) else None
    return place if isinstance(place, type) and issubclass(place, BaseException) else None


def _build(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException | None:
    """An instance whose `str` works; past the constructor if that wants other arguments."""
    makers: tuple[Callable[[], Any], ...] = (lambda: kind(*args), lambda: kind.__new__(kind, *args))
    for make in makers:
        try:
            built = make()
            str(built)
        except Exception:  # noqa: S112 - constructors of the user's may raise anything
            continue
        if isinstance(built, BaseException):
            return built
    return None


def _build_group(kind: type[BaseException] | None, text: str, members: list[BaseException]) -> BaseException | None:
    """A group of the class, if it is one of groups and may have such members."""
    if kind is None or not issubclass(kind, BaseExceptionGroup):
        return None
    try:
        built: Any = kind(text, members)
        str(built)
    except Exception:  # as above
        return None
    return built if isinstance(built, BaseExceptionGroup) else None


@functools.lru_cache(maxsize=256)
def _strange_group(module: str, name: str) -> Any:
    """A class for a group that this process does not know."""
    return _named(module, name, BaseExceptionGroup)


@functools.lru_cache(maxsize=256)
def _stranger(module: str, name: str) -> Any:
    """A class for an exception that this process does not know."""
    return _named(module, name, Exception)


def _named(module: str, name: str, base: Any) -> Any:
    try:
        return type(name.rpartition(".")[2], (base,), {"__module__": module, "__qualname__": name, "__doc__": "Unknown here."})
    except (ValueError, TypeError):  # NUL or lone surrogates in the name
        return _named(module, ascii(name), base)
