"""Objects."""

from __future__ import annotations

from functools import reduce
from typing import Any


class Bunch:
    """An object with these attributes."""

    def __init__(self, **kwargs: Any):
        self.__dict__.update(kwargs)


def mro_lookup(cls: Any, attr: str, stop: Any = None, monkey_patched: Any = None) -> Any:
    """The class in the line of `cls` that has this attribute of its own; None if it comes to `stop` first."""
    stop, patched = stop or set(), monkey_patched or []
    for node in cls.mro():
        if node in stop:
            found = node.__dict__.get(attr)
            module = getattr(found, "__module__", None)
            return node if found is not None and patched and module not in patched else None
        if attr in node.__dict__:
            return node
    return None


class FallbackContext:
    """For `with`: what is given, else what is made, which is closed then."""

    def __init__(self, provided: Any, fallback: Any, *fb_args: Any, **fb_kwargs: Any):
        self.provided = provided
        self.fallback = fallback
        self.fb_args = fb_args
        self.fb_kwargs = fb_kwargs
        self._context: Any = None

    def __enter__(self) -> Any:
        if self.provided is not None:
            return self.provided
        self._context = self.fallback(*self.fb_args, **self.fb_kwargs)
        return self._context.__enter__()

    def __exit__(self, *exc_info: object) -> Any:
        return self._context.__exit__(*exc_info) if self._context is not None else None


class getitem_property:  # noqa: N801 - Celery's name
    """An attribute that is an item, by its path: `getitem_property("options.queue")`."""

    def __init__(self, keypath: str, doc: str | None = None):
        path, _, self.key = keypath.rpartition(".")
        self.path = path.split(".") if path else None
        self.__doc__ = doc

    def _path(self, obj: Any) -> Any:
        return reduce(lambda found, key: found[key], [obj, *self.path]) if self.path else obj

    def __get__(self, obj: Any, type: Any = None) -> Any:
        return type if obj is None else self._path(obj).get(self.key)

    def __set__(self, obj: Any, value: Any) -> None:
        self._path(obj)[self.key] = value
