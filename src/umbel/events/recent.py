"""A mapping of bounded size, which forgets what was not looked at for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping
from threading import RLock
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(MutableMapping[K, V], Generic[K, V]):
    """At most `limit` items. Any thread may use it; iterating gives what was there when it began, the longest unused first."""

    def __init__(self, limit: int | None = None, items: Iterable[tuple[K, V]] = ()):
        self.limit = limit
        self.data: OrderedDict[K, V] = OrderedDict(items)
        self.mutex = RLock()

    def __getitem__(self, key: K) -> V:
        with self.mutex:
            value = self.data[key]
            self.data.move_to_end(key)
            return value

    def __setitem__(self, key: K, value: V) -> None:
        with self.mutex:
            self.data[key] = value
            self.data.move_to_end(key)
            while self.limit and len(self.data) > self.limit:
                self.data.popitem(last=False)

    def __delitem__(self, key: K) -> None:
        with self.mutex:
            del self.data[key]

    def __contains__(self, key: object) -> bool:
        return key in self.data

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[K]:
        with self.mutex:
            return iter(list(self.data))

    def keys(self) -> Any:
        """Their keys, as they were."""
        return list(self)

    def values(self) -> Any:
        """Their values, as they were."""
        with self.mutex:
            return list(self.data.values())

    def items(self) -> Any:
        """Keys and values, as they were."""
        with self.mutex:
            return list(self.data.items())

    iterkeys, itervalues, iteritems = keys, values, items

    def clear(self) -> None:
        """Forget all."""
        with self.mutex:
            self.data.clear()

    def __reduce__(self) -> Any:
        return type(self), (self.limit, self.items())

    def __repr__(self) -> str:
        return repr(self.data)
