"""One beat: takes part in who leads, and sends as long as it does."""

from __future__ import annotations

import logging
import math
import os
import select
from contextlib import suppress
from typing import Any, Protocol

from umbel import clock, guise, signals
from umbel.beat.custom import Custom
from umbel.beat.dispatch import Dispatch
from umbel.beat.remote import Remote
from umbel.beat.trouble import Trouble
from umbel.client.app import Umbel
from umbel.errors import BrokerError
from umbel.stores.owner import new_owner

log = guise.logger("umbel.beat")

LEASE = 3.0
"""Seconds for which a leader leads without being heard of."""
RENEWAL = 1.0
"""Seconds between two words of a leader; the others ask as often whether they may lead."""
SOON = 0.25
"""Least seconds from one word to the next of a beat that waits for the end of a lease."""
LOOK = 0.5
"""Seconds after which changes of the schedule are noticed; also the longest sleep."""
MARGIN = 0.5
"""Seconds before the end of its lease at which a leader does not send any more."""
CALM = 10.0
"""Seconds behind the start of a beat that follows, until it compares its code with the schedule: by then another that was started
at the same time has saved its own. Who leads for so long leads in peace."""
JUMP = 1.0
"""Seconds by which the system's clock may move against the monotonic one before all is planned anew."""


class Duty(Protocol):
    """What a leader does."""

    def prepare(self) -> None:
        """Once, at the start, whoever leads."""

    def begin(self) -> None:
        """This beat leads now."""

    def compare(self, leader: str) -> None:
        """Another one leads, and has for a while; once."""

    def look(self) -> None:
        """See what has changed."""

    def work(self) -> float | None:
        """Send what is due; gives the seconds until something will be."""

    def end(self, *, in_order: bool) -> None:
        """This beat leads no more."""


class Beat:
    """One of any number of beats. `run` belongs to one thread; `stop` may be called from any, and from a signal handler.

    prepare ──▶ follow ⇄ lead ──▶ resign
                asks each second   renews each second, looks for changes, sends what is due
    """

    def __init__(
        self,
        app: Umbel,
        *,
        max_interval: float | None = None,
        scheduler: type[Any] | None = None,
        embedded: bool = False,
        answers_as: str | None = None,
    ):
        """`answers_as`: the name (`beat@host`) by which it answers `inspect ping` while it runs; None: it answers nobody."""
        self.app = app
        self.owner = new_owner()
        self._store = app.schedule_store
        self._embedded = embedded
        self._duty: Duty
        if scheduler is None:
            self._duty = Dispatch(app, may_send=self._is_sure, stay=self._stay)
        else:
            self._duty = Custom(app, scheduler, max_interval=max_interval, may_send=self._is_sure)
        self._away = Trouble("schedule store", "This beat does not lead meanwhile")
        self._is_prepared = self._leads = self._has_led = self._stopping = False
        self._led_from = 0.0
        self._until = 0.0
        """Up to when it leads for sure, on the monotonic clock."""
        self._next_look = self._next_word = 0.0
        self._follows: str | None = None
        self._compare_at = math.inf
        self._shift = clock.now() - clock.monotonic()
        self._woken = self._wake = -1
        self.ticked = clock.monotonic()
        """When it has last done all that there was to do, on the monotonic clock."""
        self.answers_as = answers_as
        self._remote = Remote(app, answers_as, self.age) if answers_as else None

    def age(self) -> float:
        """Seconds for which it has been at what it does; one that sleeps has nothing to do."""
        return clock.monotonic() - self.ticked

    @property
    def scheduler(self) -> Any:
        """What sends, for receivers of `beat_init`: an instance of the class that was asked for, or umbel's own."""
        return self._duty.scheduler if isinstance(self._duty, Custom) else self._duty

    @property
    def leads(self) -> bool:
        """True while it is the one that sends."""
        return self._leads

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Let it look at once."""
        with suppress(OSError):  # it does not run, or was woken so often that it will look anyway
            os.write(self._wake, b"!")

    def run(self) -> None:
        """Follow and lead until told to stop; then let another one lead at once."""
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        log.info("beat: Starting...")
        signals.beat_init.send(self)
        if self._embedded:
            signals.beat_embedded_init.send(self)
        self.ticked = clock.monotonic()
        if self._remote is not None:
            self._remote.start()
        try:
            while not self._stopping:
                wait = self._round()
                self.ticked = clock.monotonic()
                self._sleep(wait)
        finally:
            log.info("beat: Shutting down...")
            if self._remote is not None:
                self._remote.stop()
            self._leave()
            for end in (self._woken, self._wake):
                os.close(end)
            self._woken = self._wake = -1

    # One round

    def _round(self) -> float:
        """Do what is to be done now; gives the seconds to sleep."""
        self._mind_jumps()
        now = clock.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK
            self._look(now)
        wait = self._work() if self._leads else None
        left = self._next_look - clock.monotonic()
        return max(0.0, left if wait is None else min(wait, left))

    def _look(self, now: float) -> None:
        """Lead or follow, as the store says, and see what has changed there."""
        asks = now >= self._next_word or (self._leads and not self._is_sure())
        try:
            if not self._is_prepared:
                self._duty.prepare()
                self._is_prepared = True
                self._compare_at = now + CALM
            if asks:
                self._next_word = now + RENEWAL
                self._ask_to_lead()
            if self._leads:
                self._duty.look()
            elif now >= self._compare_at and self._follows is not None:
                self._compare_at = math.inf
                self._duty.compare(self._follows)
            if asks or self._leads:  # else nothing was heard of the store
                self._away.ends()
        except BrokerError as error:
            self._away.begins(error)
        except Exception:
            if not self._has_led:  # who starts it is to see at once that it cannot work
                raise
            log.exception("The beat could not look after the schedule; it tries again")

    def _ask_to_lead(self) -> None:
        asked = clock.monotonic()
        if not self._store.lead(self.owner, LEASE):
            self._follow()
            return
        self._until = asked + LEASE
        self._follows = None
        if not self._leads:
            self._duty.begin()
            self._leads = self._has_led = True
            self._led_from = asked
            log.info("beat: this one leads now")

    def _stay(self) -> None:
        """Renew the lease while something long is done."""
        now = clock.monotonic()
        if now >= self._next_word and self._store.lead(self.owner, LEASE):
            self._next_word, self._until = now + RENEWAL, now + LEASE

    def _follow(self) -> None:
        if self._leads:
            self._leads = False
            # Beats that all hang on one broker that does not answer lead by turns: that is told once as a warning.
            level = logging.WARNING if clock.monotonic() > self._led_from + CALM else logging.INFO
            log.log(level, "Another beat leads now: this one was not heard of for %g s", LEASE)
            self._duty.end(in_order=False)
        leader = self._store.leader()
        left = 0.0 if leader is None else leader.until - clock.now()
        self._next_word = min(self._next_word, clock.monotonic() + max(left, SOON))
        self._next_look = min(self._next_look, self._next_word)
        if leader is not None and leader.owner != self._follows:
            self._follows = leader.owner
            log.info("beat: %s leads; this one waits for its place", leader.owner)

    def _work(self) -> float | None:
        try:
            return self._duty.work() if self._is_sure() else None
        except Exception:
            log.exception("The beat failed; it reads the schedule anew and goes on")
            self._leads = False
            return None

    def _is_sure(self) -> bool:
        """True while nobody else can lead."""
        return clock.monotonic() < self._until - MARGIN

    def _mind_jumps(self) -> None:
        """If somebody has set the system's clock, or the machine has slept: ask who leads, and plan all anew."""
        shift = clock.now() - clock.monotonic()
        jump = shift - self._shift
        self._shift = shift
        if abs(jump) > JUMP:
            if jump > 0:
                log.warning("The system's clock went forward by %.1f s", jump)
            else:
                log.warning("The system's clock went back by %.1f s: what was sent in that time is not sent again", -jump)
            self._until = self._next_look = self._next_word = 0.0
            self._leads = False

    def _sleep(self, seconds: float) -> None:
        if select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 4096)
            self._next_look = 0.0

    def _leave(self) -> None:
        try:
            if self._leads:
                self._duty.end(in_order=True)
            self._store.resign(self.owner)
        except BrokerError as error:
            if not self._away.lasts:
                log.error("The schedule store is away: %s. Another beat leads when the lease ends", error)
