"""From the broker into the pool, as long as there is room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from umbel import clock, guise, shown, signals
from umbel.errors import BrokerDown, BrokerError
from umbel.execution.outcome import Job
from umbel.pools.pool import Pool
from umbel.stores.broker import Broker, Delivery
from umbel.wire import protocol
from umbel.wire.brief import told
from umbel.worker.book import Book
from umbel.worker.herald import Herald
from umbel.worker.judge import Judge, Judgement, Options, Verdict
from umbel.worker.later import Later, wait_for
from umbel.worker.ratelimit import Bucket
from umbel.worker.settle import Settle, Way
from umbel.worker.ticket import Ticket

log = guise.logger("umbel.worker.fetch")

WAIT = 0.5
"""Seconds for which one `reserve` waits for work; also how long a stop may wait for it."""
WAY = 0.05
"""Seconds for which a worker that left a message to others stands back when it is due again: it would know of it first."""
SLACK = 1.0
"""Seconds by which the store may be late in taking back what is to wait there."""
MOST = 512
"""Deliveries asked for at once: beyond that, batches no longer get cheaper, but hold up the others. (No-ops on Redis: two fetches
of 512, the second on its way while the first is judged, are a tenth faster than one of 1024, and a fifth with results.)"""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts to reach a store that is away: it is to be found again well within 5 s of its return."""


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
        stumbled: Callable[[Delivery, Exception], None],
        herald: Herald,
    ):
        """`other` settles what is not to run or wait, and `stumbled` what our own code fails at.

        `most_held`: deliveries in hand at most (None: the pool's own room).
        """
        self._broker = broker
        self._pool = pool
        self._judge = judge
        self._book = book
        self._settle = settle
        self.queues = tuple(queues)
        """Those that are served; `serve` changes it."""
        self._served = asyncio.Event()
        self.most_held = most_held
        self._other = other
        self._stumbled = stumbled
        self._herald = herald
        self._thread = ThreadPoolExecutor(1, "umbel-fetch")
        self._stopping = False
        self._interruptible = False
        self._left_until: float | None = None
        self._in_vain = 0
        """How many the last reserve brought, if none of them was to run here: the next may bring more than there is room for."""
        self._starts = ThreadPoolExecutor(1, "umbel-start")
        self.later = Later(self._hand_on)

    async def run(self) -> None:
        """Fetch until `stop`; what a last reserve brings is given back."""
        loop = asyncio.get_running_loop()

        def reserve(limit: int, wait: float) -> asyncio.Future[list[Delivery]]:
            return loop.run_in_executor(self._thread, self._broker.reserve, self.queues, limit, wait)

        pause = FIRST_PAUSE
        while not self._stopping:
            self._interruptible = True
            while not self.queues:
                self._served.clear()
                await self._served.wait()
            wait = WAIT if self._left_until is None else await self._make_way(self._left_until)
            room = await self._pool.room()
            if self.most_held is not None or self._settle.is_full:
                room = await self._less(room)
            self._interruptible = False
            try:
                most = max(room, 2 * self._in_vain)
                reserving: asyncio.Future[list[Delivery]] | None = reserve(min(most, MOST), wait)
                while reserving and (deliveries := await reserving):
                    here = max(room, 0)
                    room -= len(deliveries)
                    # If there are more, and room for them, they come while these are judged.
                    go_on = len(deliveries) == MOST and room >= MOST and not self._settle.is_full and not self._stopping
                    reserving = reserve(MOST, 0) if go_on else None
                    await self._hand_on(deliveries, here)
            except Exception as error:  # a store that is away, or that has met something that it cannot tell of otherwise
                pause = await self._rest(pause, error)
            else:
                if pause > FIRST_PAUSE:
                    log.warning("The store is back: fetching again")
                pause = FIRST_PAUSE

    def stop(self, running: asyncio.Task[None]) -> None:
        """End `running`, the task of `run`: at once if it only waits for room, else when its reserve is back."""
        self._stopping = True
        if self._interruptible:
            running.cancel()

    def serve(self, queues: Sequence[str]) -> None:
        """Serve these from the next reserve on, which begins within `WAIT`; none at all is a pause."""
        self.queues = tuple(queues)
        self._served.set()

    # What follows from conclusions comes by itself: see `settle.Next`.

    def wanted(self) -> Sequence[str]:
        """All queues, while there are places that idle as soon as what ends now has ended: else others may be sooner."""
        is_idle = len(self._book) + len(self.later) + self._settle.leading <= self._pool.slots
        return self.queues if is_idle and not self._stopping else ()

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        """Judge these and hand them on."""
        await self._hand_on(deliveries, thread=self._starts)

    def moved(self) -> None:
        """Let who waits for a place look again."""
        self._book.changed.set()

    async def judge_again(self, bucket: Bucket) -> None:
        """Judge those that wait in this line, here or in the store, as their rate limit is another one now."""
        if (seconds := bucket.away_for(clock.monotonic())) > 0:
            self._settle.hasten(self.queues, seconds + SLACK)
        if deliveries := self.later.dissolve(bucket):
            await self._hand_on(deliveries)

    async def _make_way(self, due: float) -> float:
        """Do not reserve in the moment in which messages left to others come back; gives how long to wait for work before it."""
        now = clock.monotonic()
        if now < due - WAY:
            return min(WAIT, due - WAY - now)
        self._left_until = None
        await asyncio.sleep(min(2 * WAY, max(0.0, due + WAY - now)))
        return WAIT

    async def _less(self, room: int) -> int:
        """Wait until fewer deliveries are in hand than the settings allow, and the store keeps up."""
        while True:
            await self._settle.room()
            if self.most_held is not None:
                room = min(room, self.most_held - len(self._book) - len(self.later) - self._settle.leading)
            if room > 0:
                return room
            await wait_for(self._book.shorter(), WAIT)
            room = await self._pool.room()

    async def _rest(self, pause: float, error: Exception) -> float:
        """Leave a store that is away alone for `pause` seconds; gives the next pause."""
        if pause == FIRST_PAUSE:
            is_ours = isinstance(error, BrokerError)
            log.error("Cannot fetch: %s. Trying again until it works", told(error), exc_info=None if is_ours else error)
        self._interruptible = True
        await asyncio.sleep(pause)
        return min(pause * 2, LONGEST_PAUSE)

    async def _hand_on(self, deliveries: Sequence[Delivery], most: int = MOST, thread: ThreadPoolExecutor | None = None) -> None:
        """Judge these, and give the pool those that are to run, at most so many: what comes behind them goes back unjudged."""
        if self._stopping:
            for delivery in deliveries:
                self._settle.release(delivery)
            return
        jobs: list[Job] = []
        early: list[Ticket] = []
        told = log.isEnabledFor(logging.INFO) or bool(signals.task_received.receivers)
        known: dict[str, Options] = {}
        is_watched = self._herald.is_on
        self._judge.label = protocol.described if is_watched else protocol.label
        judge, book = self._judge.judge, self._book
        if self._judge.stamps:
            judge = self._judge.judge_stamps
        may_be_many = len(deliveries) > most
        for place, delivery in enumerate(deliveries):
            if may_be_many and len(jobs) >= most:
                for each in deliveries[place:]:
                    self._settle.release(each)
                break
            try:
                ticket = judge(delivery, known)
                if isinstance(ticket, Judgement):
                    self._put_aside(ticket)
                    continue
            except Exception as error:
                self._stumbled(delivery, error)
                continue
            book[ticket.job.number] = ticket
            jobs.append(ticket.job)
            if ticket.early:
                early.append(ticket)
            if told:
                self._received(ticket)
        if is_watched and jobs:
            self._herald.received([book[job.number] for job in jobs])
        self._in_vain = 0 if jobs else len(deliveries)
        self._pool.submit(await self._begin(jobs, early, thread or self._thread) if early else jobs)

    def _put_aside(self, judgement: Judgement) -> None:
        delivery = judgement.delivery
        if judgement.verdict is Verdict.LATER:
            self._settle.release(delivery, Way(at=clock.monotonic() + judgement.wait))
        elif judgement.verdict is not Verdict.THROTTLED:
            if judgement.verdict is Verdict.PARKED:
                self._left_until = clock.monotonic() + judgement.wait
            self._other(judgement)
        elif judgement.bucket and (back := self.later.line_up(delivery, judgement.bucket)):
            self._settle.release(back[0], Way(at=clock.monotonic() + back[1]))

    def _received(self, ticket: Ticket) -> None:
        log.info("Task %s received", ticket)
        if signals.task_received.receivers:
            signals.task_received.tell(self, request=ticket)

    async def _begin(self, jobs: list[Job], early: list[Ticket], thread: ThreadPoolExecutor) -> list[Job]:
        """Record that the `early` ones run from now on; gives all but those that must not, as their hold is lost."""
        loop = asyncio.get_running_loop()
        deliveries = [ticket.delivery for ticket in early]
        try:
            void = await loop.run_in_executor(thread, self._broker.started, deliveries)
        except Exception as error:
            log.error("Cannot record the start of %s, so back to the queue: %s", shown.count(len(early), "task"), told(error))
            void = deliveries
            for delivery in deliveries:
                if isinstance(error, BrokerDown):
                    self._settle.release(delivery)
                else:
                    self._stumbled(delivery, error)
        lost = {id(delivery) for delivery in void}
        for ticket in early:
            if id(ticket.delivery) in lost:
                del self._book[ticket.job.number]
        return [job for job in jobs if job.number in self._book]
