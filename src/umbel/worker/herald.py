"""Tells of this worker, and, while somebody wants to know, of its tasks. Nobody waits for the thread by which it leaves."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from umbel import clock, guise, signals
from umbel.client.task import Task
from umbel.errors import DecodeError
from umbel.events.dispatcher import Dispatcher
from umbel.events.event import utc_offset
from umbel.events.sender import Waiting
from umbel.events.tasks import (
    Failed,
    Received,
    Retried,
    Revoked,
    Started,
    Succeeded,
    Told,
    sent,
)
from umbel.execution.outcome import Outcome
from umbel.follow.links import ORDERS
from umbel.pools.pool import Pool
from umbel.wire import protocol
from umbel.wire.envelope import Envelope
from umbel.wire.message import Described
from umbel.worker.book import Book
from umbel.worker.ticket import Ticket

log = guise.logger("umbel.worker")

ALONE = 3
"""Of so many heartbeats one is sent as long as nobody listens: who begins to listen asks for one."""
GOODBYE = 1.0
"""Seconds that the last word may take."""

LOOK, LONG = 0.1, 0.05
"""Seconds between looks at what runs, while tasks are told of; and for how long one must have run to be told of as started then.
Shorter ones are told of once they have ended: to hear of each beginning would cost more than all else together."""


class Herald:
    """Tells that this worker is there (`worker-online`, `-heartbeat`, `-offline`), and what becomes of tasks while it `is_on`.

    Belongs to the event loop's thread. What it tells may be lost: a worker never waits for those who watch it.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        pool: Pool,
        book: Book,
        *,
        every: float | None,
        on: bool,
        accept: frozenset[str],
        sent: bool = False,
    ):
        """`every`: seconds between heartbeats (None: it tells nothing of itself); `on`: it begins to tell of tasks at once.

        With `sent` it tells of messages that follow from runs, as clients tell of those that they send.
        """
        self._dispatcher = dispatcher
        self._sender = dispatcher.sender
        self._clock = dispatcher.clock
        self._pool = pool
        self._book = book
        self._every = every
        self._accept = accept
        self._source = (dispatcher.hostname, os.getpid())
        self._hurry = asyncio.Event()
        self._asked = self._left = False
        self._switched = asyncio.Event()
        self.is_on = on
        """True while it tells of tasks."""
        self.tells_sent = sent
        if on:
            self._switched.set()

    # -- of itself ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Say hello, and tell again and again that this worker is there."""
        if not self._every:
            return
        self._tell("online")
        loop, silent = asyncio.get_running_loop(), 0
        while True:
            bell = loop.call_later(self._every, self._hurry.set)
            await self._hurry.wait()
            bell.cancel()
            self._hurry.clear()
            silent += 1
            if self._left:
                return
            if self._asked or self._sender.reached or silent >= ALONE:
                self._asked, silent = False, 0
                self._tell("heartbeat")
                if signals.heartbeat_sent.receivers:
                    signals.heartbeat_sent.tell(self)

    def beat(self) -> None:
        """Tell now that it is there, as somebody asks for it."""
        self._asked = True
        self._hurry.set()

    async def leave(self) -> None:
        """Say goodbye, and let go of what still waits to be told."""
        self._left = True
        if self._every:
            self._tell("offline")
        await asyncio.get_running_loop().run_in_executor(None, self._sender.flush, GOODBYE)
        if self._sender.lost:
            log.warning("%d events were dropped: there were too many, or the store was away", self._sender.lost)

    def _tell(self, how: str) -> None:
        worn = guise.worn()
        self._dispatcher.send(
            f"worker-{how}",
            freq=self._every,
            active=len(self._pool.running()),
            processed=sum(self._book.totals.values()),
            loadavg=[round(each, 2) for each in os.getloadavg()],
            sw_ident=f"py-{worn.program}",
            sw_ver=worn.version,
            sw_sys=platform.system(),
        )

    # -- whether of tasks -----------------------------------------------------------------------------------------

    def on(self) -> bool:
        """Tell of tasks from now on; True if it did not before."""
        before, self.is_on = self.is_on, True
        self._switched.set()
        if not before:
            log.info("Events of tasks are sent: somebody asked for them")
        return not before

    def off(self) -> bool:
        """Tell of tasks no more; True if it did before."""
        before, self.is_on = self.is_on, False
        self._switched.clear()
        if before:
            log.info("Events of tasks are not sent any more: somebody asked for that")
        return before

    async def look(self) -> None:
        """Tell of tasks that run for long as started, for ever."""
        while True:
            await self._switched.wait()
            await asyncio.sleep(LOOK)
            if self.is_on and self._book:
                self._look(clock.now() - LONG)

    def _look(self, before: float) -> None:
        for begun in self._pool.running():
            ticket = self._book.get(begun.number)
            if ticket is not None and ticket.began is None and begun.when <= before:
                ticket.began, ticket.pid = begun.when, begun.pid
                self.started(ticket)

    # -- of tasks -------------------------------------------------------------------------------------------------

    def received(self, tickets: Sequence[Ticket]) -> None:
        """These are here, and will run."""
        told = [ticket for ticket in tickets if ticket.task.send_events]
        now, behind, moment = clock.now(), utc_offset(), self._clock.take(len(told))
        hostname, pid = self._source
        # Bodies stay out of it: they would wait with the events, and may be long.
        labels = [ticket.label for ticket in told]

        def made(most: int | None) -> list[Told]:
            events: list[Told] = []
            for place, known in enumerate(labels[:most], moment):
                assert isinstance(known, Described), "while it is on, what is received is read so"
                event = Received(
                    hostname=hostname, utcoffset=behind, pid=pid, clock=place, uuid=known.id, timestamp=now,
                    name=known.shadow or known.task, args=known.argsrepr, kwargs=known.kwargsrepr, root_id=known.root_id,
                    parent_id=known.parent_id, retries=known.retries, eta=known.eta, expires=known.expires,
                )  # fmt: skip
                events.append(event)
            return events

        self._several(made, len(told))

    def _several(self, made: Callable[[int | None], list[Told]], count: int) -> None:
        if count:
            self._sender.send((Waiting(self._source[0], made, "task", several=True, count=count),))

    def succeeded(self, ended: Sequence[tuple[Ticket, Outcome]]) -> None:
        """These have run to a good end."""
        told = [each for each in ended if each[0].task.send_events]
        now, behind, moment = clock.now(), utc_offset(), self._clock.take(2 * len(told))
        hostname, pid = self._source
        # As in `received`: no body waits, and no result.
        labels, began = [ticket.label for ticket, _ in told], [ticket.began for ticket, _ in told]
        texts, times = [outcome.text for _, outcome in told], [outcome.runtime for _, outcome in told]

        def made(most: int | None) -> list[Told]:
            events: list[Told] = []
            place = moment
            for label, start, text, runtime in zip(labels[:most], began[:most], texts[:most], times[:most], strict=True):
                uuid = label.id
                if start is None:  # it was not known before; else it is told
                    event: Told = Started(
                        hostname=hostname, utcoffset=behind, pid=pid, clock=place, uuid=uuid, timestamp=now - runtime
                    )
                    events.append(event)
                event = Succeeded(
                    hostname=hostname, utcoffset=behind, pid=pid, clock=place + 1, uuid=uuid, timestamp=now,
                    result=text, runtime=runtime,
                )  # fmt: skip
                events.append(event)
                place += 2
            return events

        self._several(made, len(told) + began.count(None))

    def started(self, ticket: Ticket) -> None:
        """It runs, since the moment that its ticket says."""
        if ticket.task.send_events:
            self._one(Started, ticket.id, at=ticket.began)

    def failed(self, id: str, exception: str, traceback: str = "", *, task: Task[..., Any] | None = None) -> None:
        """It has ended badly."""
        if task is None or task.send_events:
            self._one(Failed, id, exception=exception, traceback=traceback or msgspec.UNSET)

    def ran(self, ticket: Ticket, runtime: float) -> None:
        """It has run for so long; nobody may have heard of it yet."""
        if ticket.began is None and ticket.task.send_events:
            ticket.began = clock.now() - runtime
            self.started(ticket)

    def ended(self, ticket: Ticket, kind: type[Told], outcome: Outcome, **fields: Any) -> None:
        """It has run, and ended in a way that is not told otherwise; `fields` are those of `kind`."""
        if not ticket.task.send_events:
            return
        self.ran(ticket, outcome.runtime)
        if kind is Failed or kind is Retried:
            fields = {"exception": outcome.text, "traceback": outcome.traceback or msgspec.UNSET, **fields}
        self._one(kind, ticket.id, **fields)

    def revoked(
        self,
        id: str,
        *,
        terminated: bool = False,
        signum: int | None = None,
        expired: bool = False,
        task: Task[..., Any] | None = None,
    ) -> None:
        """It was called off."""
        if task is None or task.send_events:
            self._one(Revoked, id, terminated=terminated, signum=signum, expired=expired)

    def sent(self, envelopes: Sequence[Envelope]) -> None:
        """These follow from runs, and are on their way."""
        for envelope in envelopes:
            try:
                known = protocol.headers(envelope, self._accept)
            except DecodeError:  # whoever made it has overridden more than we can know
                continue
            if known.task in ORDERS:  # what workers tell each other is no task of anybody's
                continue
            self._dispatcher.send("task-sent", **sent(known, envelope))

    def _one(self, kind: type[Told], uuid: str, *, at: float | None = None, **fields: Any) -> None:
        hostname, pid = self._source
        told = kind(
            hostname=hostname, utcoffset=utc_offset(), pid=pid, clock=self._clock.forward(), uuid=uuid,
            timestamp=clock.now() if at is None else at, **fields,
        )  # fmt: skip
        self._sender.send((Waiting(hostname, [told], "task", several=True),))
