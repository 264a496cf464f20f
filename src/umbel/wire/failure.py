"""Exceptions in results: `{"exc_type", "exc_message", "exc_module"}`, umbel's own under the names that Celery gives them."""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from umbel.errors import EncodeError
from umbel.wire import encoding
from umbel.wire.brief import brief
from umbel.wire.exception_names import CELERY, OURS, WIRE_NAMES


def exception_out(failure: BaseException, serializer: str) -> Any:
    """What stands for an exception: the wire's three keys, or with pickle itself, if it survives that."""
    kind = type(failure)
    if serializer == "pickle" and kind not in WIRE_NAMES and _survives_pickle(failure):
        return failure
    module, name = WIRE_NAMES.get(kind) or (kind.__module__, kind.__qualname__)
    return {"exc_type": name, "exc_message": [_safe(part, serializer) for part in _args(failure)], "exc_module": module}


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
    try:
        return type(pickle.loads(pickle.dumps(failure))) is type(failure)
    except Exception:  # a class that cannot be pickled may raise anything
        return False


def exception_in(told: Mapping[str, Any]) -> BaseException:
    """The exception of a result.

    Its class is looked up in modules that are imported already, never imported; what is not there, is no exception class or
    cannot be built from the arguments becomes a new class of the same name.
    """
    name, module = str(told.get("exc_type")), told.get("exc_module")
    args = told.get("exc_message")
    args = tuple(args) if isinstance(args, (list, tuple)) else () if args is None else (args,)
    module = module if isinstance(module, str) else CELERY
    kind = _find(module, name)
    built = _build(kind, args) if kind else None
    return built if built is not None else _stranger(module, name)(*args)


def _find(module: str, name: str) -> type[BaseException] | None:
    """The class, without running anything: neither imports nor `__getattr__` of modules and classes."""
    ours = OURS.get((module, name))
    if ours:
        return ours
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


@functools.lru_cache(maxsize=256)
def _stranger(module: str, name: str) -> type[Exception]:
    """A class for an exception that this process does not know."""
    try:
        return type(
            name.rpartition(".")[2], (Exception,), {"__module__": module, "__qualname__": name, "__doc__": "Unknown here."}
        )
    except (ValueError, TypeError):  # NUL or lone surrogates in the name
        return _stranger(module, ascii(name))
