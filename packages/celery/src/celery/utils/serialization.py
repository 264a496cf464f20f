"""Exceptions that can travel, and bytes as text."""

from __future__ import annotations

import datetime
import pickle
import sys
from base64 import b64decode as base64decode
from base64 import b64encode as base64encode
from inspect import getmro
from typing import Any

STRTOBOOL_DEFAULT_TABLE = {
    **dict.fromkeys(("false", "no", "0", "off"), False),
    **dict.fromkeys(("true", "yes", "1", "on"), True),
}
unwanted_base_classes = (Exception, BaseException, object)


def subclass_exception(name: str, parent: Any, module: str) -> Any:
    """A class of exceptions."""
    return type(name, (parent,), {"__module__": module})


def find_pickleable_exception(exc: BaseException, loads: Any = pickle.loads, dumps: Any = pickle.dumps) -> Any:
    """The exception as one of the nearest class that can be pickled; None if none can."""
    args = getattr(exc, "args", [])
    for kind in itermro(type(exc), unwanted_base_classes):
        try:
            found = kind(*args)
            loads(dumps(found))
        except Exception:  # noqa: S112 - a constructor of somebody else's may raise anything
            continue
        return found
    return None


def itermro(cls: Any, stop: Any) -> Any:
    """The classes in its line that are not in `stop`."""
    return [kind for kind in getmro(cls) if kind not in stop]


def create_exception_cls(name: str, module: str, parent: Any = None) -> Any:
    """A class of exceptions that is not there any more."""
    return subclass_exception(name, parent or Exception, module)


def ensure_serializable(items: Any, encoder: Any) -> list[Any]:
    """The items, each that cannot travel as its repr."""
    found = []
    for item in items:
        try:
            encoder(item)
            found.append(item)
        except Exception:
            found.append(repr(item))
    return found


class UnpickleableExceptionWrapper(Exception):
    """Stands for an exception that cannot be pickled."""

    exc_module: Any = None
    exc_cls_name: Any = None
    exc_args: Any = None

    def __init__(self, exc_module: str, exc_cls_name: str, exc_args: Any, text: str | None = None):
        safe = ensure_serializable(exc_args, pickle.dumps)
        self.exc_module, self.exc_cls_name, self.exc_args, self.text = exc_module, exc_cls_name, safe, text
        super().__init__(exc_module, exc_cls_name, safe, text)

    def restore(self) -> Any:
        """An exception of that name."""
        return create_exception_cls(self.exc_cls_name, self.exc_module)(*self.exc_args)

    def __str__(self) -> str:
        return str(self.text)

    @classmethod
    def from_exception(cls, exc: BaseException) -> Any:
        """What stands for `exc`."""
        return cls(type(exc).__module__, type(exc).__name__, getattr(exc, "args", []), repr(exc))


def get_pickleable_exception(exc: BaseException) -> Any:
    """The exception, or what stands for it if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(exc))
    except Exception:
        return find_pickleable_exception(exc) or UnpickleableExceptionWrapper.from_exception(exc)
    return exc


def get_pickleable_etype(cls: Any, loads: Any = pickle.loads, dumps: Any = pickle.dumps) -> Any:
    """The class, or Exception if it cannot be pickled."""
    try:
        loads(dumps(cls))
    except Exception:
        return Exception
    return cls


def get_pickled_exception(exc: Any) -> Any:
    """The exception that something stands for."""
    return exc.restore() if isinstance(exc, UnpickleableExceptionWrapper) else exc


def b64encode(s: Any) -> str:
    """Bytes as text."""
    return base64encode(s.encode() if isinstance(s, str) else s).decode()


def b64decode(s: Any) -> bytes:
    """The bytes again."""
    return base64decode(s.encode() if isinstance(s, str) else s)


def strtobool(term: Any, table: Any = None) -> Any:
    """True or False from a word."""
    if not isinstance(term, str):
        return term
    try:
        return (table or STRTOBOOL_DEFAULT_TABLE)[term.lower()]
    except KeyError:
        raise TypeError(f"{term!r} means neither true nor false") from None


def jsonify(
    obj: Any, builtin_types: Any = (float, int, str), key: Any = None, keyfilter: Any = None, unknown_type_filter: Any = None
) -> Any:
    """The value as JSON can have it."""
    if obj is None or isinstance(obj, builtin_types):
        return obj
    again = {"builtin_types": builtin_types, "keyfilter": keyfilter, "unknown_type_filter": unknown_type_filter}
    if isinstance(obj, (tuple, list)):
        return [jsonify(each, **again) for each in obj]
    if isinstance(obj, dict):
        items = obj.items()
        return {name: jsonify(value, key=name, **again) for name, value in items if keyfilter is None or keyfilter(name)}
    if isinstance(obj, (datetime.datetime, datetime.date, datetime.time)):
        return obj.isoformat()
    if isinstance(obj, datetime.timedelta):
        return str(obj)
    if unknown_type_filter is not None:
        return unknown_type_filter(obj)
    raise ValueError(f"{type(obj).__name__} {obj!r} is nothing that JSON can have (at {key!r})")


def raise_with_context(exc: BaseException) -> None:
    """Raise an exception from the one that is being handled."""
    here = sys.exc_info()[1]
    if here is None or here is exc:
        raise exc
    raise exc from here
