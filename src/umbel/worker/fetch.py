"""From the broker into the pool, as long as there is room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from umbel import clock, signals
from umbel.errors import BrokerDown
from umbel.execution.outcome import Job
from umbel.pools.pool import Pool
from umbel.stores.broker import Broker, Delivery
from umbel.worker.book import Book
from umbel.worker.judge import Judge, Judgement, Verdict
from umbel.worker.later import Later, wait_for
from umbel.worker.settle import Settle, Way
from umbel.worker.ticket import Ticket

T = TypeVar("T")

log = logging.getLogger("umbel.worker")

WAIT = 0.5
"""Seconds for which one `reserve` waits for work; also how long a stop may wait for it."""
MOST = 1024
"""Deliveries asked for at once: beyond that, batches no longer get cheaper, but hold up the others."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Fetch:
    """Reserves, judges and hands on. Belongs to the event loop's thread; reserving blocks in a thread of its own."""

    def __init__(
        self,
        broker: Broker,
        pool: Pool,
        judge: Judge,
        book: Book,
        settle: Settle,
        *,
        queues: Sequence[str],
        most_held: int | None,
        other: Callable[[Judgement], None],
    ):
        """`most_held`: deliveries in hand at most (None: the pool's own room); `other` settles what is not to run or wait."""
        self._broker = broker
        self._pool = pool
        self._judge = judge
        self._book = book
        self._settle = settle
        self._queues = queues
        self._most_held = most_held
        self._other = other
        self._thread = ThreadPoolExecutor(1, "umbel-fetch")
        self.later = Later(self._hand_on)
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Fetch until `stopping` is set; what a last reserve brings is given back."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self.stopping.is_set():
            room = await self._room()
            if not room:
                break
            try:
                deliveries = await loop.run_in_executor(self._thread, self._broker.reserve, self._queues, room, WAIT)
            except BrokerDown as error:
                if pause == FIRST_PAUSE:
                    log.error("Cannot fetch: %s. Trying again until it works", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            await self._hand_on(deliveries)

    async def _room(self) -> int:
        """How many deliveries may be taken now, at least 1; 0 once stopping."""
        while not self.stopping.is_set():
            room = min(await either(self._pool.room(), self.stopping.wait(), 0), MOST)
            if self._most_held is not None:
                room = min(room, self._most_held - len(self._book) - len(self.later))
            if room > 0 and not self._settle.full:
                return room
            await wait_for(self._book.changed(), WAIT)
        return 0

    async def _hand_on(self, deliveries: Sequence[Delivery]) -> None:
        if self.stopping.is_set():
            for delivery in deliveries:
                self._settle.release(delivery)
            return
        jobs = self._judged(deliveries)
        early = [job for job in jobs if self._book[job.number].early]
        self._pool.submit(await self._begin(jobs, early) if early else jobs)

    def _judged(self, deliveries: Sequence[Delivery]) -> list[Job]:
        jobs = []
        for delivery in deliveries:
            judgement = self._judge.judge(delivery)
            if judgement.job is not None and judgement.ticket is not None:
                self._book.enter(judgement.job.number, judgement.ticket)
                jobs.append(judgement.job)
                self._received(judgement.ticket)
            elif judgement.verdict is Verdict.LATER:
                self._settle.release(delivery, Way(due=judgement.when))
            elif judgement.verdict is Verdict.THROTTLED:
                self._throttled(delivery, judgement)
            else:
                self._other(judgement)
        return jobs

    def _throttled(self, delivery: Delivery, judgement: Judgement) -> None:
        if self.later.full:
            self._settle.release(delivery, Way(due=clock.now() + judgement.turn))
        else:
            self.later.keep(delivery, judgement.when)

    def _received(self, ticket: Ticket) -> None:
        log.info("Task %s received", ticket)
        if signals.task_received.receivers:
            signals.task_received.send(self, request=ticket)

    async def _begin(self, jobs: list[Job], early: list[Job]) -> list[Job]:
        """Record that the `early` ones run from now on; those whose hold is lost are not run."""
        loop = asyncio.get_running_loop()
        deliveries = [self._book[job.number].delivery for job in early]
        try:
            void = await loop.run_in_executor(self._thread, self._broker.started, deliveries)
        except BrokerDown as error:
            log.error("Cannot record the start of %d tasks, so they go back: %s", len(early), error)
            for job in early:
                self._settle.release(self._book.strike(job.number).delivery)
            return [job for job in jobs if job not in early]
        lost = {id(delivery) for delivery in void}
        for job in early:
            if id(self._book[job.number].delivery) in lost:
                self._book.strike(job.number)
                jobs.remove(job)
        return jobs


async def either(wanted: Coroutine[Any, Any, T], ending: Coroutine[Any, Any, object], otherwise: T) -> T:
    """What `wanted` gives, or `otherwise` if `ending` comes first."""
    tasks = asyncio.ensure_future(wanted), asyncio.ensure_future(ending)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else otherwise
    finally:
        for task in tasks:
            task.cancel()
