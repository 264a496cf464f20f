"""Objects that stand for others."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def _operator(method: str) -> Any:
    def forward(self: Any, *args: Any) -> Any:
        return getattr(self._get_current_object(), method)(*args)

    forward.__name__ = forward.__qualname__ = method
    return forward


def _binary(method: str) -> Any:
    import operator

    function = getattr(operator, f"__{method}__")

    def forward(self: Any, other: Any) -> Any:
        return function(self._get_current_object(), other)

    return forward


def _reflected(method: str) -> Any:
    import operator

    function = getattr(operator, f"__{method}__")

    def forward(self: Any, other: Any) -> Any:
        return function(other, self._get_current_object())

    return forward


class Proxy:
    """Stands for what `local(*args, **kwargs)` gives whenever it is looked at."""

    __slots__ = ("__args", "__custom_name__", "__kwargs", "__local", "__weakref__")

    def __init__(
        self,
        local: Callable[..., Any],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
        __doc__: str | None = None,
    ):
        keep = object.__setattr__
        keep(self, "_Proxy__local", local)
        keep(self, "_Proxy__args", args or ())
        keep(self, "_Proxy__kwargs", kwargs or {})
        if name is not None:
            keep(self, "__custom_name__", name)

    def _get_current_object(self) -> Any:
        """What it stands for now."""
        local = object.__getattribute__(self, "_Proxy__local")
        return local(*self.__args, **self.__kwargs)

    @property
    def __dict__(self) -> Any:
        try:
            return self._get_current_object().__dict__
        except RuntimeError:
            raise AttributeError("__dict__") from None

    @property
    def __class__(self) -> Any:
        return self._get_current_object().__class__

    @__class__.setter
    def __class__(self, kind: Any) -> None:
        raise TypeError("the class of a proxy cannot be set")

    def __getattr__(self, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            try:
                return object.__getattribute__(self, "__custom_name__")
            except AttributeError:
                pass
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __repr__(self) -> str:
        try:
            found = self._get_current_object()
        except RuntimeError:
            return f"<{type(self).__name__} unbound>"
        return repr(found)

    def __bool__(self) -> bool:
        try:
            return bool(self._get_current_object())
        except RuntimeError:
            return False

    def __dir__(self) -> list[str]:
        try:
            return dir(self._get_current_object())
        except RuntimeError:
            return []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._get_current_object()[key] = value

    def __getitem__(self, key: Any) -> Any:
        return self._get_current_object()[key]

    def __delitem__(self, key: Any) -> None:
        del self._get_current_object()[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._get_current_object()

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()

    def __hash__(self) -> int:
        return hash(self._get_current_object())

    def __str__(self) -> str:
        return str(self._get_current_object())

    __len__ = _operator("__len__")
    __iter__ = _operator("__iter__")
    __enter__ = _operator("__enter__")
    __exit__ = _operator("__exit__")
    __int__ = _operator("__int__")
    __float__ = _operator("__float__")
    __index__ = _operator("__index__")
    __neg__, __pos__, __abs__, __invert__ = map(_operator, ("__neg__", "__pos__", "__abs__", "__invert__"))
    __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = map(_binary, ("eq", "ne", "lt", "le", "gt", "ge"))
    __add__, __sub__, __mul__, __truediv__, __floordiv__ = map(_binary, ("add", "sub", "mul", "truediv", "floordiv"))
    __mod__, __pow__, __lshift__, __rshift__ = map(_binary, ("mod", "pow", "lshift", "rshift"))
    __and__, __or__, __xor__ = map(_binary, ("and", "or", "xor"))
    __radd__, __ror__, __rmul__ = map(_reflected, ("add", "or", "mul"))


class PromiseProxy(Proxy):
    """Stands for what its function gives once, when it is first looked at."""

    __slots__ = ("__pending__", "__thing")

    def _get_current_object(self) -> Any:
        try:
            return object.__getattribute__(self, "_PromiseProxy__thing")
        except AttributeError:
            return self.__evaluate__()

    def __then__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `fun` once it is known what it stands for; at once if that is known."""
        if self.__evaluated__():
            return fun(*args, **kwargs)
        try:
            pending = object.__getattribute__(self, "__pending__")
        except AttributeError:
            pending = []
            object.__setattr__(self, "__pending__", pending)
        pending.append((fun, args, kwargs))
        return None

    def __evaluated__(self) -> bool:
        try:
            object.__getattribute__(self, "_PromiseProxy__thing")
        except AttributeError:
            return False
        return True

    def __maybe_evaluate__(self) -> Any:
        return self._get_current_object()

    def __evaluate__(self) -> Any:
        thing = Proxy._get_current_object(self)
        object.__setattr__(self, "_PromiseProxy__thing", thing)
        try:
            pending = object.__getattribute__(self, "__pending__")
        except AttributeError:
            return thing
        object.__delattr__(self, "__pending__")
        for fun, args, kwargs in pending:
            fun(*args, **kwargs)
        return thing


def maybe_evaluate(obj: Any) -> Any:
    """What a promise stands for; anything else as it is."""
    try:
        return obj.__maybe_evaluate__()
    except AttributeError:
        return obj


def try_import(module: str, default: Any = None) -> Any:
    """The module; `default` if there is none of that name."""
    try:
        return import_module(module)
    except ImportError:
        return default


class class_property:  # noqa: N801 - Celery's name
    """A property of a class."""

    def __init__(self, getter: Any = None, setter: Any = None):
        self._get = getattr(getter, "__func__", getter)
        self._set = getattr(setter, "__func__", setter)

    def __get__(self, obj: Any, type: Any = None) -> Any:
        return self._get(type if type is not None else obj.__class__)
