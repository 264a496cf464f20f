"""A clock that counts what happened instead of seconds, so that events of many machines stand in an order."""

from __future__ import annotations

from threading import Lock


class Lamport:
    """A Lamport clock: later than all that was told here, and than all that was heard. Any thread may use it."""

    __slots__ = ("_lock", "value")

    def __init__(self, initial_value: int = 0):
        self.value = initial_value
        self._lock = Lock()

    def forward(self) -> int:
        """The moment of something that happens now, later than any before."""
        with self._lock:
            self.value += 1
            return self.value

    def adjust(self, other: int) -> int:
        """The moment of having heard of something that happened at `other` by another's clock."""
        with self._lock:
            self.value = max(self.value, other) + 1
            return self.value

    def take(self, count: int) -> int:
        """The first of `count` moments that follow each other."""
        with self._lock:
            first = self.value + 1
            self.value += count
            return first

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return f"Lamport({self.value})"
