"""Deliveries that this worker keeps in its memory until their time.

Almost none: what is not due waits in the store. Here wait the few whose task's rate limit is used up for a moment.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence

from umbel import clock
from umbel.stores.broker import Delivery
from umbel.worker.ratelimit import Bucket, Place

MOST = 64
"""Deliveries kept here at once; more would be hoarded, so they go back to the store until about their turn."""


class Later:
    """The lines of tasks whose rate limit is used up. Belongs to the event loop's thread."""

    def __init__(self, hand_on: Callable[[Sequence[Delivery]], Awaitable[None]]):
        self._hand_on = hand_on
        self._buckets: dict[int, Bucket] = {}  # those with a line, by identity
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return sum(len(bucket.line) for bucket in self._buckets.values())

    def line_up(self, delivery: Delivery, bucket: Bucket) -> tuple[Delivery, float] | None:
        """Let `delivery` stand in line. If there is no place, gives one that must go back to the store, and for how many seconds.

        That is the last in the line, or this one, if others of its task that are there already come before it.
        """
        now, priority = clock.monotonic(), delivery.envelope.priority
        order = bucket.comes_back(delivery, now)
        is_new = order is None
        place = (-priority, bucket.new_order() if order is None else order, now, delivery)
        if is_new and bucket.has_before(priority):
            return delivery, bucket.send_away(place, now)
        if len(self) >= MOST:
            if not bucket.line or (last := max(bucket.line, key=_rank)) < place:
                return delivery, bucket.send_away(place, now, again=not is_new)
            bucket.line.remove(last)
            heapq.heapify(bucket.line)
        else:
            last = None
        heapq.heappush(bucket.line, place)
        self._buckets[id(bucket)] = bucket
        self._changed.set()
        return None if last is None else (last[-1], bucket.send_away(last, now, again=True))

    def __iter__(self) -> Iterator[Delivery]:
        return (place[-1] for bucket in self._buckets.values() for place in bucket.line)

    def buckets(self) -> list[Bucket]:
        """Those in whose line anybody waits."""
        return [bucket for bucket in self._buckets.values() if bucket.line]

    def dissolve(self, bucket: Bucket) -> list[Delivery]:
        """Those in this line, the next first, which then no longer wait here."""
        deliveries = bucket.in_order()
        bucket.line.clear()
        self._buckets.pop(id(bucket), None)
        return deliveries

    def take_back(self) -> list[Delivery]:
        """All that wait here, which then no longer do."""
        deliveries = list(self)
        for bucket in self._buckets.values():
            bucket.line.clear()
        self._buckets.clear()
        return deliveries

    async def run(self) -> None:
        """Hand on whose turn it is, for ever."""
        while True:
            self._changed.clear()
            pause = min((bucket.next for bucket in self._buckets.values()), default=math.inf) - clock.monotonic()
            if pause > 0:
                await wait_for(self._changed.wait(), None if pause == math.inf else pause)
            for bucket in [bucket for bucket in self._buckets.values() if bucket.next <= clock.monotonic()]:
                await self._call(bucket)

    async def _call(self, bucket: Bucket) -> None:
        """Hand on the first in a line."""
        if bucket.line:
            *_, since, delivery = heapq.heappop(bucket.line)
            delivery.when += clock.monotonic() - since
            bucket.called = delivery
            await self._hand_on([delivery])
        if not bucket.line:
            self._buckets.pop(id(bucket), None)


def _rank(place: Place) -> tuple[int, int]:
    return place[:2]


async def wait_for(something: Awaitable[object], seconds: float | None) -> bool:
    """True once `something` has come; False after `seconds` (None: wait without end)."""
    try:
        async with asyncio.timeout(seconds):
            await something
    except TimeoutError:
        return False
    return True
