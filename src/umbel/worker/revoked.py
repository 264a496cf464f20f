"""What this worker holds already when it is revoked: taken out of the pool if it has not begun, ended if that was asked for.

What comes later is marked by the store, so an idle worker has nothing to ask.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from umbel import guise
from umbel.errors import BrokerError
from umbel.pools.pool import Pool, Stop
from umbel.stores.broker import Broker, Revocation
from umbel.worker.book import Book
from umbel.worker.judge import Judge
from umbel.worker.later import Later
from umbel.worker.stamps import Stamps, stamp_of
from umbel.worker.ticket import Ticket

log = guise.logger("umbel.worker.revoked")

PAUSE = 1.0
"""Seconds between two looks; only what is in hand for so long is looked after at all."""


class Revoked:
    """Asks the store for new revocations, as long as anything is in hand. Belongs to the event loop's thread."""

    def __init__(self, broker: Broker, pool: Pool, book: Book, later: Later, judge: Judge):
        self._broker = broker
        self._pool = pool
        self._book = book
        self._later = later
        self._judge = judge
        self._mark = 0
        self._latest: dict[str, str | None] = {}
        """Ids and signals of the last look: what was on its way into the book then is there at the next."""
        self._thread = ThreadPoolExecutor(1, "umbel-revoked")

    async def run(self) -> None:
        """Look again and again, for ever; while the store is away, keep trying."""
        is_first = True  # those of stamps are to be known from the beginning
        while True:
            if not is_first:
                await asyncio.sleep(PAUSE)
                if not self._book and not self._later:
                    continue
            is_first = False
            try:
                await self._look()
            except BrokerError as error:
                log.debug("Cannot ask for revocations: %s", error)
            except Exception:
                log.exception("Cannot ask for revocations")

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._mark, found = await loop.run_in_executor(self._thread, self._broker.revocations, self._mark)
        before, self._latest = self._latest, {each.id: each.signal for each in found}
        self._obey(before | self._latest)

    def heed(self, revocations: Sequence[Revocation]) -> None:
        """Do at once what the next look would do with these."""
        latest = {each.id: each.signal for each in revocations}
        self._latest = self._latest | latest
        self._obey(latest)

    def _obey(self, wanted: Mapping[str, str | None]) -> None:
        if not wanted:
            return
        stamps = Stamps()
        hows: dict[tuple[str, str], str | None] = {}
        for id, how in wanted.items():
            revocation = Revocation(id, how)
            if stamps.heed(revocation) and (found := stamp_of(revocation)):
                self._judge.stamps.heed(revocation)
                hows[found] = how
        for delivery in self._later:
            delivery.revoked |= delivery.envelope.id in wanted
        for ticket in list(self._book.values()):
            if ticket.id in wanted:
                self._end(ticket, wanted[ticket.id])
            elif stamps and stamps.are_on(ticket.delivery, self._judge.accept):
                self._end(ticket, next((how for how in hows.values() if how), None))

    def _end(self, ticket: Ticket, name: str | None) -> None:
        """Take it out of the pool, or end its run if it has begun and is to be ended."""
        if self._pool.cancel(ticket.job.number, Stop.UNLESS_BEGUN):
            ticket.revoked = ticket.delivery.revoked = True
        elif name is not None and not ticket.revoked:
            self._stop(ticket, getattr(signal, name, signal.SIGTERM))

    def _stop(self, ticket: Ticket, how: signal.Signals) -> None:
        """End a run. Only SIGUSR1 does not end its process, but raises SoftTimeLimitExceeded in the task."""
        if ticket.signum == how:  # asked for already
            return
        ticket.signum = how.value
        if not self._can(ticket, soft=how is signal.SIGUSR1):
            log.warning("Task %s was revoked, but this pool cannot end what runs: it goes on to its end", ticket)
            return
        self._pool.cancel(ticket.job.number, Stop.SOFT if how is signal.SIGUSR1 else Stop.HARD)

    def _can(self, ticket: Ticket, *, soft: bool) -> bool:
        can = self._pool.abilities
        if ticket.task.is_async:
            return can.soft_async if soft else can.hard_async
        return can.soft_sync if soft else can.hard_sync
