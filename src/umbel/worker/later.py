"""Deliveries that this worker keeps in its memory until their time.

Almost none: what is not due waits in the store. Here wait the few whose task's rate limit is used up for a moment.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence

from umbel import clock
from umbel.stores.broker import Delivery

MOST = 64
"""Deliveries kept here at once; more would be hoarded, so they go back to the store until about their turn."""


class Later:
    """A heap of deliveries by time. Belongs to the event loop's thread."""

    def __init__(self, hand_on: Callable[[Sequence[Delivery]], Awaitable[None]]):
        self._hand_on = hand_on
        self._heap: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """True if no more should be kept here."""
        return len(self._heap) >= MOST

    def __len__(self) -> int:
        return len(self._heap)

    def keep(self, delivery: Delivery, wait: float) -> None:
        """Hand `delivery` on in `wait` seconds."""
        delivery.when += wait
        heapq.heappush(self._heap, (clock.monotonic() + wait, next(self._order), delivery))
        self._changed.set()

    def __iter__(self) -> Iterator[Delivery]:
        return (delivery for _, _, delivery in self._heap)

    def take_back(self) -> list[Delivery]:
        """All that wait here, which then no longer do."""
        deliveries = [delivery for _, _, delivery in self._heap]
        self._heap.clear()
        return deliveries

    async def run(self) -> None:
        """Hand on what is due, for ever."""
        while True:
            self._changed.clear()
            pause = self._heap[0][0] - clock.monotonic() if self._heap else None
            if pause is None or pause > 0:
                await wait_for(self._changed.wait(), pause)
            now = clock.monotonic()
            due = []
            while self._heap and self._heap[0][0] <= now:
                due.append(heapq.heappop(self._heap)[2])
            if due:
                await self._hand_on(due)


async def wait_for(something: Awaitable[object], seconds: float | None) -> bool:
    """True once `something` has come; False after `seconds` (None: wait without end)."""
    try:
        async with asyncio.timeout(seconds):
            await something
    except TimeoutError:
        return False
    return True
