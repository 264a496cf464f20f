"""What the pools in this process have in common: jobs run in threads and on loops beside the worker's, never on its own."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections import deque
from collections.abc import Sequence

from umbel import clock, guise
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.pools import copies
from umbel.pools.crew import Crew
from umbel.pools.juggler import Tell
from umbel.pools.lane import DEAF
from umbel.pools.line import carried
from umbel.pools.looper import Looper
from umbel.pools.mix import FORGET, SPARE, Mix
from umbel.pools.pace import WEIGHT, stock
from umbel.pools.pool import Abilities, Pool, Runner, Stop

log = guise.logger("umbel.pools")

AGAIN = 0.001
"""Seconds after which a limit is tried again that came just before or just behind the task."""
PATIENCE = 1.0
"""Seconds that `stop` waits for threads that should be free."""


class InsidePool(Pool):
    """Sync jobs on a crew of threads, async ones on a loop in another thread. Belongs to the loop's thread; `_post` to any.

    A thread cannot be ended from outside. A soft limit raises an exception in it, which comes when it comes back from whatever it
    waits for; at a hard limit the job is told to have ended, its thread left to itself, and another takes its place.
    """

    abilities = Abilities(soft_sync=True, hard_sync=True, soft_async=True, hard_async=True)
    _loops = True
    """True if async jobs run on the loop, False if in the crew."""

    def __init__(self, runner: Runner, *, slots: int, async_slots: int):
        self.slots = slots
        self._runner = runner
        self._async_slots = async_slots
        self._sync: dict[int, Job] = {}
        self._async: dict[int, Job] = {}
        self._waiting: deque[Job] = deque()  # async jobs without a place
        self._typical = math.inf
        """Seconds that sync jobs take, the running mean; infinite while unknown."""
        self._mix = Mix()
        self._posted: deque[tuple[Begun | Outcome, float]] = deque()  # what the threads tell
        self._reading = False  # True if `_read` is on its way
        self._news: list[Begun | Outcome] = []
        self._told = asyncio.Event()
        self._moved = asyncio.Event()
        self._heard = self._async_heard = 0.0
        self._ticking = False
        self._stopped = False
        self._is_copy = False
        self._clocks: dict[int, list[asyncio.TimerHandle]] = {}
        self._begun_at: dict[int, float] = {}
        """When async jobs were begun (monotonic); also of some that have ended."""

    def _make_crew(self, tell: Tell) -> Crew:
        return Crew(self._runner, self.slots, tell, "umbel-job", begun=self._begun)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._crew = self._make_crew(self._post)
        self._looper = Looper(self._runner, self._post, "umbel-async-jobs")
        copies.on_copy(self._let_go)

    def _let_go(self) -> None:
        """In a copy of this process, made by a task: when that task ends there is nobody to tell."""
        self._is_copy = True
        self._looper.leave()

    async def room(self) -> int:
        while True:
            now, held = clock.monotonic(), len(self._sync)
            is_deaf = held >= self.slots and now - self._heard > DEAF
            room = 0 if is_deaf else self.slots * stock(self._typical, self.slots) - held
            if now - self._mix.async_came <= FORGET:
                room = self._mixed_room(now, room)
            if room > 0:
                return room
            self._moved.clear()
            await self._moved.wait()

    def _mixed_room(self, now: float, sync: int) -> int:
        aside = self._async_slots - len(self._async)
        waiting = self._crew.jobs.qsize()
        return self._mix.room(now, sync=sync, waiting=waiting, aside=aside, async_waiting=len(self._waiting))

    def submit(self, jobs: Sequence[Job]) -> None:
        now, crew, mix = clock.monotonic(), self._crew, self._mix
        if len(self._sync) < self.slots:
            self._heard = now
        for job in jobs:
            if job.is_async and self._loops:
                self._async[job.number] = job
                self._waiting.append(job)
                mix.async_came = now
            else:
                self._sync[job.number] = job
                crew.jobs.put(job)
                mix.sync_came = now
        held = len(self._sync)
        if crew.staff < held and crew.staff < crew.size:
            crew.grow(held)
        if held > self.slots:
            self._tick_later()
        if self._waiting:
            self._begin_waiting()
            self._tick_later()

    def _begin_waiting(self) -> None:
        """Give the loop what it has places for."""
        free = self._async_slots - (len(self._async) - len(self._waiting))
        if free > 0:
            jobs = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
            self._begun_at.update(dict.fromkeys([job.number for job in jobs], clock.monotonic()))
            if len(self._begun_at) > 2 * len(self._async) + 1000:
                self._begun_at = {number: since for number, since in self._begun_at.items() if number in self._async}
            self._looper.begin(jobs)

    def _post(self, news: Begun | Outcome, spent: float) -> None:
        """Tell what happened, from any thread; read once for many."""
        if self._is_copy:
            copies.leave()
        self._posted.append((news, spent))
        if not self._reading:  # two threads may both see that, which only costs a turn
            self._reading = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
                self._loop.call_soon_threadsafe(self._read)

    def _read(self) -> None:
        """Take in what the threads have told."""
        self._reading = False  # first, so that what is posted from now on is read again
        total, count = 0.0, 0
        for _ in range(len(self._posted)):
            what, spent = self._posted.popleft()
            if isinstance(what, Begun):
                if what.number in self._sync or what.number in self._async:
                    self._news.append(what)
                continue
            if (job := self._sync.pop(what.number, None)) is not None:
                total += spent
                count += 1
            else:
                job = self._async.pop(what.number, None)
                self._async_heard = clock.monotonic()
                self._mix.go_on()
            if self._clocks:
                self._stop_clocks(what.number)
            if job is not None:  # else it has been told to have ended before
                self._news.append(carried(what) if what.envelopes else what)
        if count:
            mean = total / count
            weight = 1.0 if self._typical == math.inf else 1 - (1 - WEIGHT) ** count
            self._typical = mean if weight == 1.0 else self._typical + (mean - self._typical) * weight
        self._heard = clock.monotonic()
        if self._waiting:
            self._begin_waiting()
        self._told.set()
        self._moved.set()

    async def news(self) -> list[Begun | Outcome]:
        while not self._news:
            if self._stopped:
                return []
            self._told.clear()
            await self._told.wait()
        news, self._news = self._news, []
        return news

    def take_back(self) -> None:
        self._give_back(self._crew.take_back())
        self._give_back(list(self._waiting))
        self._waiting.clear()

    def _give_back(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._end(job.number, Kind.RETURNED)

    def _end(self, number: int, kind: Kind, text: str = "") -> None:
        self._sync.pop(number, None)
        self._async.pop(number, None)
        self._stop_clocks(number)
        self._news.append(Outcome(number, kind, text=text))
        self._told.set()
        self._moved.set()

    def _tick_later(self) -> None:
        if not self._ticking and (len(self._sync) > self.slots or self._waiting):
            self._ticking = True
            self._loop.call_later(DEAF, self._tick)

    def _tick(self) -> None:
        """Let go of jobs that would wait for long, so that other workers can run them."""
        self._ticking = False
        now = clock.monotonic()
        if len(self._sync) > self.slots and now - self._heard > DEAF:
            keep = SPARE if now - self._mix.async_came <= FORGET else 0
            waiting = self._crew.take_back()
            self._crew.put_back(waiting[:keep])
            self._give_back(waiting[keep:])
        if self._waiting and now - self._async_heard > DEAF:
            self._give_back(list(self._waiting))
            self._waiting.clear()
            self._loop.call_later(self._mix.rest(now), self._moved.set)
        self._tick_later()

    def cancel(self, number: int, how: Stop) -> bool:
        if number in self._async:
            return self._cancel_async(number, how)
        job = self._sync.get(number)
        if job is None:
            return False
        waiting = self._crew.take_back()
        others = [other for other in waiting if other is not job]
        self._crew.put_back(others)
        if len(others) == len(waiting):
            return how is not Stop.UNLESS_BEGUN and self._cancel_running(job, how)
        self._end(number, Kind.TERMINATED)
        return True

    def _cancel_running(self, job: Job, how: Stop) -> bool:
        if job.is_async:
            return self._crew.cancel_async(job, how)
        if how is Stop.SOFT:
            return self._interrupt(job.number)
        return self._abandon(job.number, Kind.TERMINATED)

    def _cancel_async(self, number: int, how: Stop) -> bool:
        job = self._async[number]
        if job in self._waiting:
            self._waiting.remove(job)
            self._end(number, Kind.TERMINATED)
            return True
        if how is Stop.UNLESS_BEGUN:
            return False
        self._looper.cancel(number, how)
        return True

    # -- limits of sync jobs -------------------------------------------------------------------------------------------

    def _begun(self, job: Job) -> None:
        """Start the clocks of a job with limits; called in its thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            self._loop.call_soon_threadsafe(self._start_clocks, job)

    def _start_clocks(self, job: Job) -> None:
        if job.number not in self._sync:
            return
        clocks = self._clocks[job.number] = []
        if job.soft is not None:
            clocks.append(self._loop.call_later(job.soft, self._interrupt, job.number))
        if job.hard is not None:
            clocks.append(self._loop.call_later(job.hard, self._abandon, job.number, Kind.TIMEOUT))

    def _stop_clocks(self, number: int) -> None:
        for handle in self._clocks.pop(number, ()):
            handle.cancel()

    def _interrupt(self, number: int) -> bool:
        """Raise the soft limit in a job; False if it has ended."""
        self._read()
        if number not in self._sync:
            return False
        if not self._crew.interrupt(number):  # its thread is just before the task, or just behind it
            self._loop.call_later(AGAIN, self._interrupt, number)
        return True

    def _abandon(self, number: int, kind: Kind) -> bool:
        """Tell that a job has ended, though nothing can end it; False if it has ended by itself."""
        self._read()
        if number not in self._sync:
            return False
        if not self._crew.abandon(number):
            self._loop.call_later(AGAIN, self._abandon, number, kind)
            return True
        log.warning(
            "job %s does not end and is left to itself in its thread, which another replaces; %s such threads run on",
            *(number, self._crew.abandoned),
        )
        self._end(number, kind)
        self._crew.grow(len(self._sync))
        return True

    def running(self) -> list[Begun]:
        self._read()
        ahead, pid = clock.now() - clock.monotonic(), os.getpid()
        since = {number: when for number, when in self._crew.running().items() if number in self._sync}
        waiting = {job.number for job in self._waiting}
        since |= {number: self._begun_at.get(number, self._heard) for number in self._async if number not in waiting}
        return [Begun(number, pid, when + ahead) for number, when in since.items()]

    async def resize(self, slots: int) -> None:
        self.slots = slots
        self._crew.resize(slots)
        self._crew.grow(len(self._sync))
        self._moved.set()

    def pids(self) -> list[int]:
        return [os.getpid()]

    async def stop(self, *, at_once: bool = False) -> None:
        if self._stopped:
            return
        self.take_back()
        for number in [*self._sync, *self._async]:
            self._end(number, Kind.LOST, "it still ran when its pool stopped")
        copies.forget(self._let_go)
        self._crew.dismiss()
        self._looper.stop()
        self._stopped = True
        self._told.set()
        await self._loop.run_in_executor(None, self._join)

    def _join(self) -> None:
        self._looper.join(PATIENCE)
        self._crew.join(PATIENCE)
