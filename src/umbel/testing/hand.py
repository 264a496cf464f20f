"""A worker that does nothing until it is told to, and runs tasks in the thread of who tells it.

It is a whole worker, in a thread of its own. Only its broker hands out nothing until a step is allowed, and its pool leaves the
job to whoever makes the step.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Collection, Sequence
from threading import Condition
from typing import Any

from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.pools.pool import Abilities, Pool, Runner, Stop
from umbel.stores.broker import Conclusion, Delivery, Once
from umbel.stores.memory.backend import MemoryBackend
from umbel.stores.memory.broker import MemoryBroker
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result
from umbel.worker.worker import Worker


class HandBroker(MemoryBroker):
    """Hands out one delivery for each step that is allowed, of whatever queue; and tells of all that is sent."""

    def __init__(self, name: str, *, sent: Callable[[Envelope], None]):
        super().__init__(name, lease=1e9)  # its owner does not die when the clock jumps
        self.moved = Condition()
        """Guards the next three, and tells of changes."""
        self.allowed = 0
        self.open: dict[int, Delivery] = {}
        """Handed out, and not settled."""
        self.last: Delivery | None = None
        self.leaving = False
        """True once the worker is to end, which must not wait for what never comes."""
        self._sent = sent

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        super().send(envelopes, within=within)
        self._tell(envelopes)

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        accepted = super().send_once(messages)
        self._tell([each.envelope for each, is_sent in zip(messages, accepted, strict=True) if is_sent])
        return accepted

    def _tell(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            self._sent(envelope)

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        with self.moved:
            if not self.allowed:
                self.moved.wait(0.001 if self.leaving else wait)
            if not self.allowed or limit < 1:
                return []
            self.allowed -= 1
            found = super().reserve(self.queues(), 1, 0.0)
            self.last = found[0] if found else None
            self.open |= {id(delivery): delivery for delivery in found}
            self.moved.notify_all()
            return found

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        lost = super().conclude(conclusions)
        for conclusion in conclusions:
            self._tell(conclusion.envelopes)
        self._settled([conclusion.delivery for conclusion in conclusions])
        return lost

    def proceed(self, conclusions: Sequence[Conclusion], queues: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
        return self.conclude(conclusions), []  # what follows is a step of its own

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        lost = super().release(undone, delay=delay, counted=counted, parked=parked)
        self._settled(undone)
        return lost

    def _settled(self, deliveries: Sequence[Delivery]) -> None:
        with self.moved:
            for delivery in deliveries:
                self.open.pop(id(delivery), None)
            self.moved.notify_all()

    def due(self) -> int:
        """How many could be handed out now."""
        return sum(depth.ready for depth in self.depth(self.queues()).values())

    def next_due(self) -> float | None:
        """When the next of those falls due that are not (seconds since the epoch)."""
        with self._room.changed:
            return min((shelf.later[0][0] for shelf in self._room.shelves.values() if shelf.later), default=None)


class HandBackend(MemoryBackend):
    """Who waits for results here makes the worker step."""

    def __init__(self, name: str, *, step: Callable[[Collection[str]], None]):
        super().__init__(name)
        self._step = step

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        while not (found := super().wait(ids, 0.0)) and ids:
            self._step(ids)
        return found


class HandPool(Pool):
    """Keeps jobs until somebody takes them out and posts what became of them."""

    abilities = Abilities(soft_sync=False, hard_sync=False, soft_async=False, hard_async=False)
    slots = 1

    def __init__(self, runner: Runner, moved: Condition):
        self.runner = runner
        self.jobs: deque[Job] = deque()
        """Guarded by the condition."""
        self._moved = moved
        self._news: list[Begun | Outcome] = []
        self._told = asyncio.Event()
        self._stopped = False

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def room(self) -> int:
        return 1

    def submit(self, jobs: Sequence[Job]) -> None:
        with self._moved:
            self.jobs.extend(jobs)
            self._moved.notify_all()

    def post(self, news: Begun | Outcome) -> None:
        """Tell what happened, from any thread."""
        self._loop.call_soon_threadsafe(self._hear, news)

    def _hear(self, news: Begun | Outcome) -> None:
        self._news.append(news)
        self._told.set()

    async def news(self) -> list[Begun | Outcome]:
        while not self._news:
            if self._stopped:
                return []
            self._told.clear()
            await self._told.wait()
        news, self._news = self._news, []
        return news

    def take_back(self) -> None:
        with self._moved:
            jobs, self.jobs = list(self.jobs), deque()
        for job in jobs:
            self._hear(Outcome(job.number, Kind.RETURNED))

    def cancel(self, number: int, how: Stop) -> bool:
        with self._moved:
            job = next((job for job in self.jobs if job.number == number), None)
            if job is None:
                return False
            self.jobs.remove(job)
        self._hear(Outcome(number, Kind.TERMINATED))
        return True

    def running(self) -> list[Begun]:
        """Nothing: what runs is in the hands of who makes the step."""
        return []

    async def resize(self, slots: int) -> None:
        """Nothing: there is one slot."""

    def pids(self) -> list[int]:
        return [os.getpid()]

    async def stop(self, *, at_once: bool = False) -> None:
        self.take_back()
        self._stopped = True
        self._told.set()


class HandWorker(Worker):
    """The worker of a `Kit`."""

    pool: HandPool
    broker: HandBroker

    def _make_pool(self, executor: Any) -> Pool:
        assert isinstance(self.broker, HandBroker), "as above"
        return HandPool(executor, self.broker.moved)
