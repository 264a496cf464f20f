"""Lets more tasks run at once while there is more to do, and fewer when there is not. What runs is never ended for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from umbel import clock, guise
from umbel.errors import BrokerError
from umbel.pools.pool import Pool
from umbel.stores.broker import Broker
from umbel.worker.book import Book
from umbel.worker.fetch import Fetch

log = guise.logger("umbel.worker")

LOOK = 1.0
"""Seconds between two looks."""
KEPT = float(os.environ.get("AUTOSCALE_KEEPALIVE", "30"))
"""Seconds for which as much is kept as was busy at any look in them; Celery's name for it."""


class Autoscale:
    """Keeps a pool between `least` and `most`. Belongs to the event loop's thread."""

    def __init__(
        self,
        pool: Pool,
        book: Book,
        broker: Broker,
        fetch: Fetch,
        resize: Callable[[int], Awaitable[None]],
        *,
        most: int,
        least: int,
        kept: float = KEPT,
    ):
        self._pool = pool
        self._book = book
        self._broker = broker
        self._fetch = fetch
        self._resize = resize
        self._kept = kept
        self.most = most
        self.least = least
        self._busy: list[tuple[float, int]] = []
        """When a look was taken, and how many were busy then; only those that a later one does not exceed."""
        self._scaled = float("-inf")
        self._thread = ThreadPoolExecutor(1, "umbel-autoscale")

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self.look()
            except BrokerError as error:
                log.debug("Cannot ask how much waits: %s", error)

    async def look(self) -> None:
        """Grow by what waits if all are busy; shrink to what was needed of late."""
        now, slots = clock.monotonic(), self._pool.slots
        busy = len({each.number for each in self._pool.running()}) if self._book else 0
        while self._busy and self._busy[-1][1] <= busy:
            self._busy.pop()
        self._busy.append((now, busy))
        while self._busy[0][0] < now - self._kept:
            del self._busy[0]
        if busy >= slots and slots < self.most:
            if waiting := await self._waiting():
                await self._scale(min(self.most, slots + waiting), "more waits than can run")
        elif (needed := max(self.least, self._busy[0][1])) < slots and self._is_old_enough(now):
            await self._scale(needed, "there is less to do")

    def _is_old_enough(self, now: float) -> bool:
        return now - self._scaled >= self._kept

    async def _waiting(self) -> int:
        """How many tasks wait, here and in the store."""
        here = max(0, len(self._book) - self._pool.slots)
        if here:
            return here
        loop = asyncio.get_running_loop()
        depths = await loop.run_in_executor(self._thread, self._broker.depth, self._fetch.queues)
        return sum(depth.ready for depth in depths.values())

    async def _scale(self, slots: int, why: str) -> None:
        log.info("Scaling from %d to %d: %s", self._pool.slots, slots, why)
        self._scaled = clock.monotonic()
        await self._resize(slots)

    async def bound(self, most: int | None, least: int | None) -> None:
        """Change the bounds; a pool that is outside of them is brought inside. ValueError if there is nothing between them."""
        new_most = self.most if most is None else most
        new_least = min(self.least, new_most) if least is None else least
        if new_least > new_most:
            raise ValueError(f"at least {new_least} and at most {new_most} leave nothing between them")
        self.most, self.least = new_most, new_least
        slots = min(max(self._pool.slots, new_least), new_most)
        if slots != self._pool.slots:
            await self._resize(slots)

    def figures(self) -> dict[str, Any]:
        """As `stats` tells of it."""
        return {"max": self.most, "min": self.least, "current": self._pool.slots, "qty": len(self._book)}
