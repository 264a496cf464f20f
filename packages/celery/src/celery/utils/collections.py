"""Dicts and sets."""

from __future__ import annotations

import time
from collections import ChainMap as _ChainMap
from collections import OrderedDict as OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any


class AttributeDictMixin:
    """Items are attributes, too."""

    def __getattr__(self, k: str) -> Any:
        try:
            return self[k]  # type: ignore[index]  # it is mixed into a dict
        except KeyError:
            raise AttributeError(f"there is no {k!r} in this {type(self).__name__}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value  # type: ignore[index]  # as above


class AttributeDict(dict[str, Any], AttributeDictMixin):
    """A dict whose items are attributes, too."""


class DictAttribute(MutableMapping[str, Any]):
    """The attributes of an object as a dict."""

    obj: Any = None

    def __init__(self, obj: Any):
        object.__setattr__(self, "obj", obj)

    def __getattr__(self, key: str) -> Any:
        return getattr(self.obj, key)

    def __setattr__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """One of them, or `default`."""
        return getattr(self.obj, key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Set one unless it is there; gives what is there then."""
        if key not in self:
            self[key] = default
        return self[key]

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self.obj, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def __delitem__(self, key: str) -> None:
        delattr(self.obj, key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and hasattr(self.obj, key)

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def __len__(self) -> int:
        return len(dir(self.obj))

    iterkeys = __iter__

    def itervalues(self) -> Iterator[Any]:
        """Their values."""
        return (getattr(self.obj, key) for key in self)

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        """Names and values."""
        return ((key, getattr(self.obj, key)) for key in self)

    def items(self) -> Any:
        """Names and values."""
        return self.iteritems()

    def keys(self) -> Any:
        """Their names."""
        return iter(self)

    def values(self) -> Any:
        """Their values."""
        return self.itervalues()


class ChainMap(_ChainMap[Any, Any]):
    """Several dicts as one; the first ones are the strongest."""

    changes: Any = None
    defaults: Any = None

    def __init__(self, *maps: Any, **kwargs: Any):
        super().__init__(*maps)
        self.key_t = kwargs.get("key_t")
        self.changes = self.maps[0]
        self.defaults = self.maps[1:]
        self._observers: list[Any] = []

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.key_t(key) if self.key_t else key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.changes[self.key_t(key) if self.key_t else key] = value

    def add_defaults(self, d: Any) -> None:
        """Take a dict that all others but the last are stronger than."""
        self.maps.insert(1, force_mapping(d))

    def bind_to(self, callback: Any) -> None:
        """Tell `callback` of updates."""
        self._observers.append(callback)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value, or `default`."""
        try:
            return self[key]
        except KeyError:
            return default

    def pop(self, key: Any, *default: Any) -> Any:
        """Take an item out of the first dict."""
        return super().pop(key, *default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Set an item unless it is there."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set items."""
        self.changes.update(*args, **kwargs)
        for callback in self._observers:
            callback(*args, **kwargs)

    def clear(self) -> None:
        """Forget what was set."""
        self.changes.clear()

    def copy(self) -> Any:
        """Another one, with a copy of the first dict."""
        return type(self)(dict(self.maps[0]), *self.maps[1:])

    @classmethod
    def fromkeys(cls, iterable: Any, *args: Any) -> Any:
        """One with these keys."""
        return cls(dict.fromkeys(iterable, *args))

    def iterkeys(self) -> Iterator[Any]:
        """All keys."""
        return iter(self)

    def itervalues(self) -> Iterator[Any]:
        """All values."""
        return (self[key] for key in self)

    def iteritems(self) -> Iterator[tuple[Any, Any]]:
        """All items."""
        return ((key, self[key]) for key in self)

    def keys(self) -> Any:
        """All keys."""
        return list(self.iterkeys())

    def values(self) -> Any:
        """All values."""
        return list(self.itervalues())

    def items(self) -> Any:
        """All items."""
        return list(self.iteritems())


class LimitedSet:
    """A set that forgets: of more than `maxlen` items those that were added first, and what is older than `expires` seconds."""

    max_heap_percent_overload = 15

    def __init__(self, maxlen: int = 0, expires: float = 0, data: Any = None, minlen: int = 0):
        self.maxlen = maxlen or 0
        self.minlen = minlen or 0
        self.expires = expires or 0
        self._data: dict[Any, tuple[float, Any]] = {}
        if data:
            self.update(data)
        if not 0 <= self.minlen <= self.maxlen and self.maxlen:
            raise ValueError(f"minlen is {self.minlen}: it goes from 0 to maxlen, {self.maxlen}")
        if self.expires < 0:
            raise ValueError(f"expires is {self.expires}: nothing is older than 0 seconds")

    def clear(self) -> None:
        """Forget all."""
        self._data.clear()

    def add(self, item: Any, now: float | None = None) -> None:
        """Add an item; again: it counts as new."""
        self._data.pop(item, None)
        self._data[item] = (now or time.monotonic(), item)
        if self.maxlen and len(self._data) > self.maxlen:
            self.purge()

    def update(self, other: Any) -> None:
        """Add all of another."""
        if not other:
            return
        if isinstance(other, LimitedSet):
            self._data.update(other._data)
            self._order()
            self.purge()
        elif isinstance(other, Mapping):
            for key, inserted in other.items():
                self.add(key, inserted[0] if isinstance(inserted, (tuple, list)) else inserted)
        else:
            for item in other:
                self.add(item)

    def _order(self) -> None:
        self._data = dict(sorted(self._data.items(), key=lambda pair: pair[1][0]))

    def discard(self, item: Any) -> None:
        """Forget an item."""
        self._data.pop(item, None)

    pop_value = discard

    def purge(self, now: float | None = None) -> None:
        """Forget what is too much, and what is too old."""
        now = now or time.monotonic()
        self._order()
        while self.maxlen and len(self._data) > self.maxlen:
            self.pop()
        if self.expires:
            while len(self._data) > self.minlen >= 0:
                inserted, _ = next(iter(self._data.values()))
                if inserted + self.expires > now:
                    break
                self.pop()

    def pop(self, default: Any = None) -> Any:
        """Take out what was added first."""
        for item in self._data:
            self.discard(item)
            return item
        return default

    def as_dict(self) -> dict[Any, float]:
        """When each was added."""
        return {key: inserted for inserted, key in self._data.values()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LimitedSet) and self._data == other._data

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} maxlen={self.maxlen} expires={self.expires} current={len(self)}>"

    def __iter__(self) -> Iterator[Any]:
        return (item for _, item in sorted(self._data.values(), key=lambda pair: pair[0]))

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __bool__(self) -> bool:
        return bool(self._data)

    def __reduce__(self) -> Any:
        return type(self), (self.maxlen, self.expires, self.as_dict(), self.minlen)


def force_mapping(m: Any) -> Any:
    """An object as a mapping of its attributes."""
    return m if isinstance(m, Mapping) else DictAttribute(m)


def lpmerge(L: Any, R: Any) -> Any:  # noqa: N803 - Celery's names
    """Put into the first dict what the second has, save what is None."""
    L.update({key: value for key, value in R.items() if value is not None})
    return L


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
