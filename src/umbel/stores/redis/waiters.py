"""Those who wait for one owner: each for some queues, on connections of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar

from umbel import clock

KEPT = 4
"""As many rest between two waits; more only wait once."""


class Waiter(Protocol):
    """A watch, or a summons."""

    queues: tuple[str, ...]

    def stop(self) -> None:
        """End a wait that is on, and all that come."""

    def close(self) -> None:
        """Close the connections."""


W = TypeVar("W", bound=Waiter)


class Waiters(Generic[W]):
    """Gives them out one by one. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: set[W] = set()
        self.resting: list[W] = []
        self.are_stopped = False

    def call_up(self, queues: tuple[str, ...], new: Callable[[tuple[str, ...]], W]) -> W:
        """One that rests and knows these queues, or a new one."""
        with self._lock:
            for waiter in self.resting:
                if waiter.queues == queues:
                    self.resting.remove(waiter)
                    break
            else:
                waiter = new(queues)
            self._waiting.add(waiter)
        return waiter

    def let_rest(self, waiter: W) -> bool:
        """Let it rest until the next wait; False if it was closed, as enough others rest, or the end has come."""
        with self._lock:
            self._waiting.discard(waiter)
            if not self.are_stopped and len(self.resting) < KEPT:
                self.resting.append(waiter)
                return True
        waiter.close()
        return False

    def stop(self) -> None:
        """End all waits, soon."""
        self.are_stopped = True
        for each in list(self._waiting):
            each.stop()

    def end(self, until: float) -> bool:
        """Close those that rest, once nobody waits; False if somebody still did then (monotonic)."""
        while self._waiting and clock.monotonic() < until:
            time.sleep(0.001)
        with self._lock:
            for each in self.resting:
                each.close()
            self.resting = []
            return not self._waiting
