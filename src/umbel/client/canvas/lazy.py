"""The calls of a group that is made of a generator."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from umbel.client import current
from umbel.client.canvas.signature import as_call


class Lazy(list[Any]):
    """The calls of a generator: asked for once, when they are sent, or when they are looked at; then they are known."""

    def __init__(self, source: Iterator[Any], app: current.App | None):
        super().__init__()
        self._source: Iterator[Any] | None = source
        self._made_for = app
        self.is_spent = False
        """True if the calls were sent and not kept."""

    @property
    def is_open(self) -> bool:
        """True if the generator was not asked yet."""
        return self._source is not None

    def peek(self) -> Any:
        """The first call, which stays; None if there is none."""
        if self._source is None:
            return None if self.is_spent or not list.__len__(self) else list.__getitem__(self, 0)
        first = next(self._source, None)
        if first is None:
            return None
        self._source = chain((as_call(first, self._made_for),), self._source)
        return first

    def drain(self) -> Iterator[Any]:
        """The calls one by one, not kept."""
        source, self._source = self._source, None
        if source is None:
            yield from self
            return
        self.is_spent = True
        for each in source:
            yield as_call(each, self._made_for)

    def _look(self) -> None:
        if self.is_spent:
            raise RuntimeError(
                "the generator that this group is made of was sent, and is used up: make the group of a list to use it again"
            )
        if self._source is not None:
            source, self._source = self._source, None
            self.extend(as_call(each, self._made_for) for each in source)

    def __iter__(self) -> Iterator[Any]:
        self._look()
        return list.__iter__(self)

    def __len__(self) -> int:
        self._look()
        return list.__len__(self)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __getitem__(self, key: Any) -> Any:
        self._look()
        return list.__getitem__(self, key)

    def __eq__(self, other: object) -> bool:
        self._look()
        return list.__eq__(self, other)

    __hash__ = None

    def __reduce__(self) -> Any:
        return list, (list(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from copy import deepcopy

        return [deepcopy(each, memo) for each in self]

    def __repr__(self) -> str:
        return "<generator>" if self.is_open or self.is_spent else list.__repr__(self)
