"""Conclusions and releases into the store, in batches: results, follow-ups and acks in one step where the store can.

Whoever decides how a delivery ends (`judge` by way of `fetch`, `reap`, `lease`) leaves it here and goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.wire.result import Result

log = logging.getLogger("umbel.worker.settle")

T = TypeVar("T")

BATCH = 1000
"""Conclusions in one step of the store: past a few hundred the cost of each no longer falls, but other writers wait longer."""
FULL = 20_000
"""Unsettled deliveries at which `fetch` stops taking more, so that a store that is away does not fill our memory."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0


@dataclass(slots=True, frozen=True)
class Way:
    """How a delivery goes back; deliveries that go the same way travel together."""

    due: float | None = None
    counted: bool = False
    parked: bool = False


@dataclass(slots=True)
class Batch:
    """What is to be written in one go."""

    notes: list[Result] = field(default_factory=list)
    conclusions: list[Conclusion] = field(default_factory=list)
    releases: dict[Way, list[Delivery]] = field(default_factory=dict)


class Settle:
    """Writes what was decided. The inbox belongs to the event loop's thread, each batch to the one writing thread."""

    def __init__(self, broker: Broker, backend: ResultBackend | None):
        self._broker = broker
        self._backend = backend
        self._joint = backend is not None and broker.keeps(backend)
        self._inbox = Batch()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._thread = ThreadPoolExecutor(1, "umbel-settle")
        self._abandoned = False

    def conclude(self, conclusion: Conclusion) -> None:
        """Leave a delivery that is at its end."""
        self._inbox.conclusions.append(conclusion)
        self._arrived()

    def release(self, delivery: Delivery, way: Way = Way()) -> None:
        """Leave a delivery that goes back to its queue."""
        self._inbox.releases.setdefault(way, []).append(delivery)
        self._arrived()

    def note(self, result: Result) -> None:
        """Leave a result that ends nothing (STARTED)."""
        self._inbox.notes.append(result)
        self._arrived()

    def _arrived(self) -> None:
        self._waiting += 1
        self._settled.clear()
        self._wake.set()

    @property
    def full(self) -> bool:
        """True if the store does not keep up (or is away) and no more should be taken on."""
        return self._waiting >= FULL

    async def settled(self) -> None:
        """Wait until everything left so far is written."""
        await self._settled.wait()

    def abandon(self) -> None:
        """Stop trying: what cannot be written now stays held, and comes back when the lease ends."""
        self._abandoned = True

    async def run(self) -> None:
        """Write batch after batch, for ever; while one is written the next gathers."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._inbox = self._inbox, Batch()
            size = self._waiting
            await self._write(batch)
            self._waiting -= size
            if not self._waiting:
                self._settled.set()

    async def _write(self, batch: Batch) -> None:
        backend = self._backend
        if backend is not None and batch.notes:
            await self._patiently(lambda: backend.store(batch.notes))
        for part in parts(batch.conclusions):
            await self._conclude(part)
        for way, deliveries in batch.releases.items():
            await self._release(way, deliveries)

    async def _conclude(self, conclusions: Sequence[Conclusion]) -> None:
        backend = self._backend
        if not self._joint:
            results = [result for conclusion in conclusions for result in conclusion.results]
            if backend is not None and results:
                await self._patiently(lambda: backend.store(results))
            for conclusion in conclusions:
                conclusion.results = ()
        try:
            lost = await self._patiently(lambda: self._broker.conclude(conclusions))
        except BrokerRefused as error:
            await self._refused(conclusions, error)
        else:
            tell_lost(lost)

    async def _refused(self, conclusions: Sequence[Conclusion], error: BrokerRefused) -> None:
        """Find the conclusion that the store will never take and bury its delivery; the others go their way."""
        if len(conclusions) > 1:
            for conclusion in conclusions:
                await self._conclude([conclusion])
            return
        (conclusion,) = conclusions
        log.error("The store refuses the outcome of %s: %s", conclusion.delivery.envelope.id, error)
        if conclusion.buried is None or conclusion.results or conclusion.envelopes:
            await self._conclude([Conclusion(conclusion.delivery, buried=f"its outcome could not be stored: {error}")])

    async def _release(self, way: Way, deliveries: Sequence[Delivery]) -> None:
        due, counted, parked = way.due, way.counted, way.parked
        try:
            tell_lost(await self._patiently(lambda: self._broker.release(deliveries, due=due, counted=counted, parked=parked)))
        except BrokerRefused:
            log.exception("The store does not take back %d messages; they come back when the lease ends", len(deliveries))

    async def _patiently(self, write: Callable[[], T]) -> T:
        """Run `write` in the writing thread, again and again while the store is down."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            try:
                return await loop.run_in_executor(self._thread, write)
            except BrokerDown as error:
                if self._abandoned:
                    raise
                if pause == FIRST_PAUSE:
                    log.error("Cannot write outcomes: %s. Trying again until it works", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)


def parts(conclusions: list[Conclusion]) -> list[list[Conclusion]]:
    """The conclusions in steps of at most `BATCH`."""
    return [conclusions[start : start + BATCH] for start in range(0, len(conclusions), BATCH)]


def tell_lost(lost: Sequence[Delivery]) -> None:
    """Say which outcomes were void because the hold had been lost."""
    if lost:
        ids = ", ".join(delivery.envelope.id for delivery in lost[:3])
        log.warning("%d outcomes are void, this worker's lease had ended and others have the tasks now: %s …", len(lost), ids)
