"""The pool of child processes, the default: jobs of sync tasks one at a time in each, async ones many at once in others."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from umbel import clock, guise, signals
from umbel.errors import WorkerError
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.pools.child import Plan
from umbel.pools.lane import DEAF, QUIET, Lane
from umbel.pools.line import FAULTS, LEAVING, READY, PoolEnds, fault_of, untold
from umbel.pools.mix import FORGET, SPARE, Mix
from umbel.pools.nursery import Load, Nursery, describe
from umbel.pools.pace import MOST, WHOLE, Pace
from umbel.pools.pool import Abilities, Pool, Runner, Stop
from umbel.pools.room import make_room
from umbel.pools.storm import PERIOD, Storm
from umbel.pools.ward import Ward, open_ward

log = guise.logger("umbel.pools")

GRACE = 5.0
"""Seconds that a child without jobs may take to end in order."""
_FORCE = 3.0  # seconds after which an async job that nothing in its process can end is ended with its process
_RETRY = 0.1  # seconds after which a loop that was busy is given jobs again, to see whether it takes them
COMPANY = 32
"""Async jobs whose process died under them and that run again in one process; if it dies again, each runs alone."""
_NO_FORK = 1.0  # seconds until a fork is tried again that the system has refused
_SLACK = 0.02  # seconds that a hard limit waits longer: handing over takes time too


class ProcessPool(Pool):
    """Runs jobs in child processes. Belongs to the event loop's thread.

    Sync jobs: `slots` children, each with a short batch in hand (see `Pace`). Async jobs: up to `async_slots` at once, spread
    over at most `slots` further children that are forked when needed. The two kinds have places of their own; `room` gives
    what both can take, and lets up to `mix.SPARE` jobs of a full kind wait here as long as both kinds come.
    While every child has been at one job for `lane.DEAF` seconds, jobs that wait for them come back as `RETURNED`.

    A job under which a process died is a suspect. If it is a sync one it was alone; async ones run again in processes apart, in
    small company and then alone, until it is clear which of them it was.
    """

    abilities = Abilities(soft_sync=True, hard_sync=True, soft_async=True, hard_async=True)

    def __init__(
        self,
        runner: Runner,
        *,
        slots: int,
        async_slots: int = 1000,
        max_tasks_per_child: int | None = None,
        max_memory_per_child: int | None = None,
        names: Callable[[int], str] | None = None,
        load: Load | None = None,
    ):
        """`load` imports modules, for `renew`."""
        self.slots = slots
        self._async_slots = async_slots
        self._nursery = Nursery(self, Plan(runner, max_tasks_per_child, max_memory_per_child, names).live, load)
        self._sync = Lane(is_async=False)
        self._async = Lane(is_async=True)
        self._suspects = Lane(is_async=True)
        self._lanes = (self._sync, self._async, self._suspects)
        self._pace = Pace()
        self._mix = Mix()
        self._storm = Storm(slots)
        self._births: dict[int, tuple[int, Lane]] = {}
        self._tickets = 0
        self._news: list[Begun | Outcome] = []
        self._told = asyncio.Event()
        self._moved = asyncio.Event()
        self._ticking = False
        self._not_before = 0.0
        self._stopping = False
        self._stopped = False
        self._failure: WorkerError | None = None
        self._proven = False
        """True once a child was ready: from then on it is worth while to go on, whatever happens to others."""

    # --- the contract -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        make_room(self.slots)
        self._nursery.start()
        self._restaff()
        await self._until(lambda: not self._births)

    async def room(self) -> int:
        # A few large fetches cost less than many small ones, so while nobody idles it answers when half of the stock is free.
        while True:
            now, stock, idle = clock.monotonic(), min(self._pace.stock, max(1, WHOLE // self.slots)), False
            whole = self.slots * stock
            room = whole - len(self._sync.waiting)
            for ward in self._sync.wards:
                if not ward.jobs:
                    idle = True
                elif now - ward.heard > DEAF:  # it counts only for what it has
                    room -= stock
                    whole -= stock
                else:
                    room -= len(ward.jobs)
            if now - self._mix.async_came <= FORGET:
                room, idle = self._mixed_room(now, room), True
            if room > 0 and (idle or 2 * room >= whole):
                return room
            self._moved.clear()
            await self._moved.wait()

    def submit(self, jobs: Sequence[Job]) -> None:
        now, mix = clock.monotonic(), self._mix
        for job in jobs:
            if job.is_async:
                (self._async if job.attempt <= 1 else self._suspects).waiting.append(job)
                mix.async_came = now
            else:
                self._sync.waiting.append(job)
                mix.sync_came = now
        self._deal()

    async def news(self) -> list[Begun | Outcome]:
        while not self._news:
            if self._stopped:
                return []
            if self._failure:
                raise self._failure
            self._told.clear()
            await self._told.wait()
        news, self._news = self._news, []
        return news

    def take_back(self) -> None:
        for lane in self._lanes:
            for ward in lane.wards:
                self._take_back(lane, ward)
            self._give_back(lane)

    def cancel(self, number: int, how: Stop) -> bool:
        for lane in self._lanes:
            ward = lane.ward_of(number)
            if ward is not None:
                self._take_back(lane, ward)
                self._deal_soon()
                self._collect(ward)  # if the job is over, what is ended must not be the next
            if lane.forget(number):
                self._tell([Outcome(number, Kind.TERMINATED)])
                return True
            if ward is not None and number in ward.jobs and how is not Stop.UNLESS_BEGUN:
                self._end_job(ward, number, how)
                return True
        return False

    def running(self) -> list[Begun]:
        ahead = clock.now() - clock.monotonic()
        found: list[Begun] = []
        for lane in self._lanes:
            for ward in lane.wards:
                self._collect(ward)
                found += [Begun(number, ward.pid, since + ahead) for number, since in ward.running()]
        return found

    can_renew = True

    async def renew(self, modules: Sequence[str] = (), *, again: bool = False) -> None:
        if modules:
            self._nursery.load(modules, again=again)
        for lane in self._lanes:
            for ward in lane.wards:
                if not ward.leaving:
                    self._dismiss(lane, ward)
        self._restaff()
        self._deal()
        await self._until(lambda: not self._births)

    async def resize(self, slots: int) -> None:
        self.slots = self._storm.slots = slots
        for lane in self._lanes:
            staying = [ward for ward in lane.wards if not ward.leaving]
            staying.sort(key=lambda ward: len(ward.jobs))
            for ward in staying[: max(0, len(staying) - slots)]:
                self._dismiss(lane, ward)
        self._restaff()
        self._deal()
        await self._until(lambda: not self._births)

    def pids(self) -> list[int]:
        return [ward.pid for lane in self._lanes for ward in lane.wards]

    async def stop(self, *, at_once: bool = False) -> None:
        self._stopping = True
        self.take_back()
        for lane in self._lanes:
            for ward in lane.wards:
                if at_once or ward.jobs:
                    self._nursery.kill(ward.pid, signal.SIGKILL)
                elif not ward.leaving and ward.dismiss():
                    self._write_rest(ward)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._until(lambda: not self._births and not self.pids())
        for pid in self.pids():
            log.warning("child process %s did not end within %s s and is killed", pid, GRACE)
        await self._nursery.stop()
        self._stopped = True
        self._told.set()

    # --- handing out --------------------------------------------------------------------------------------------------

    def _mixed_room(self, now: float, sync: int) -> int:
        aside = self._async_slots - self._async.held - self._suspects.held
        waiting, async_waiting = len(self._sync.waiting), len(self._async.waiting) + len(self._suspects.waiting)
        return self._mix.room(now, sync=sync, waiting=waiting, aside=aside, async_waiting=async_waiting)

    def _deal(self) -> None:
        """Give what waits to those that have room for it, the least busy first."""
        if self._stopping or self._failure:
            return
        waiting, wards = self._sync.waiting, self._sync.wards
        if waiting:
            # `Lane.idlest`, written out: this is done for every batch.
            takers = [ward for ward in wards if ward.takes]
            ranked = sorted([(len(ward.jobs), ward.index, ward) for ward in takers])
            for place, (count, _, ward) in enumerate(ranked):
                fair = -(-len(waiting) // (len(ranked) - place))
                batch = self._pace.batch(waiting, load=ward.load, count=count, most=min(fair, MOST))
                if batch:
                    try:
                        if ward.hand_out(batch):
                            self._write_rest(ward)
                    except FAULTS:
                        self._sort_out(self._sync, batch)
                    if ward.limited:
                        self._watch_head(ward)
        if self._async.waiting:
            self._deal_async()
        if self._suspects.waiting or self._suspects.wards:
            self._deal_suspects()
        if not self._ticking and (
            waiting or self._async.wards or self._suspects.wards or any(len(ward.jobs) > 1 for ward in wards)
        ):
            self._tick_later()

    def _deal_soon(self) -> None:
        self._loop.call_soon(self._deal)

    def _deal_async(self) -> None:
        lane, now = self._async, clock.monotonic()
        each = -(-self._async_slots // max(1, self.slots))
        for ward in lane.idlest():
            count = min(len(lane.waiting), each - len(ward.jobs), self._async_slots - (lane.held - len(lane.waiting)))
            self._begin_async(lane, ward, [lane.waiting.popleft() for _ in range(count)], now)
        if lane.waiting and not lane.expected and lane.staff < self.slots and all(ward.ready for ward in lane.wards):
            self._spawn(lane)

    def _deal_suspects(self) -> None:
        lane, now = self._suspects, clock.monotonic()
        for ward in lane.idlest():
            if lane.waiting and not ward.jobs:
                attempt = lane.waiting[0].attempt
                most = COMPANY if attempt <= 2 else 1
                batch = [job for job in islice(lane.waiting, most) if job.attempt == attempt]
                for job in batch:
                    lane.waiting.remove(job)
                self._begin_async(lane, ward, batch, now)
            elif not lane.waiting and not ward.jobs:
                self._dismiss(lane, ward)
        if lane.waiting and not lane.expected and lane.staff < self.slots:
            self._spawn(lane)

    def _begin_async(self, lane: Lane, ward: Ward, jobs: Sequence[Job], now: float) -> None:
        batch = [(job, math.inf if job.hard is None else now + job.hard + _FORCE) for job in jobs]
        try:
            if batch and ward.hand_out(batch):
                self._write_rest(ward)
        except FAULTS:
            self._sort_out(lane, batch)

    def _sort_out(self, lane: Lane, batch: Sequence[tuple[Job, float]]) -> None:
        """Tell of those jobs that cannot be handed out; the others wait again."""
        faults = {job.number: fault for job, _ in batch if (fault := fault_of(job))}
        self._tell([untold(number, fault) for number, fault in faults.items()])
        lane.put_back([job for job, _ in batch if job.number not in faults])
        self._deal_soon()

    def _write_rest(self, ward: Ward) -> None:
        self._loop.add_writer(ward.line.socket, self._flush, ward)

    def _flush(self, ward: Ward) -> None:
        had_enough = not ward.takes
        if not ward.line.flush():
            self._loop.remove_writer(ward.line.socket)
        if had_enough and ward.takes:
            self._deal()

    # --- taking back --------------------------------------------------------------------------------------------------

    def _take_back(self, lane: Lane, ward: Ward) -> None:
        if ward.jobs:
            lane.put_back(ward.take_back())
            self._watch_head(ward)

    def _give_back(self, lane: Lane, *, keep: int = 0) -> None:
        """Let the worker have what waits, but for the first few."""
        if len(lane.waiting) > keep:
            self._tell([Outcome(job.number, Kind.RETURNED) for job in islice(lane.waiting, keep, None)])
            lane.waiting = deque(islice(lane.waiting, keep))

    def _tick_later(self) -> None:
        """Look again in a moment if anything may wait behind something long; an idle pool sleeps."""
        if not self._ticking and any(lane.waiting or any(ward.unsure for ward in lane.wards) for lane in self._lanes):
            self._ticking = True
            self._loop.call_later(QUIET, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        now = clock.monotonic()
        for lane in self._lanes:
            for ward in lane.wards:
                if ward.unsure and now - ward.heard > QUIET:
                    self._rescue(lane, ward, now)
        self._forgive(now)
        self._deal()
        if self._async.surplus(now):
            self._give_back(self._async)
            self._loop.call_later(self._mix.rest(now), self._moved.set)
        if self._sync.surplus(now):
            self._give_back(self._sync, keep=SPARE if now - self._mix.async_came <= FORGET else 0)
        self._moved.set()

    def _rescue(self, lane: Lane, ward: Ward, now: float) -> None:
        """A child has been silent: see what it has finished, and free what it has not begun."""
        self._collect(ward)
        if now - ward.heard > QUIET and ward.unsure and ward.line.unbegun():
            self._take_back(lane, ward)
            ward.stuck, ward.rescued = bool(ward.jobs), now
        if lane.is_async:
            for number in [number for number, (_, end) in ward.jobs.items() if end < now]:
                self._kill_for(ward, number, Kind.TIMEOUT)

    def _forgive(self, now: float) -> None:
        """Try loops that were busy again if there are no others: the jobs in them, asleep, may tell nothing for long."""
        if self._async.waiting and not self._async.idlest():
            for ward in self._async.wards:
                ward.stuck = ward.stuck and now - ward.rescued < _RETRY

    # --- what children tell -------------------------------------------------------------------------------------------

    def _hear(self, ward: Ward) -> None:
        bells = ward.line.bells()
        if not bells:
            self._loop.remove_reader(ward.line.socket)  # its death is told by the nursery
        if READY in bells:
            ward.ready = self._proven = True
        self._collect(ward)
        if LEAVING in bells:
            self._let_go(ward)
        self._deal()
        self._moved.set()

    def _collect(self, ward: Ward) -> None:
        news, runs = ward.collect()
        if runs:
            if self._storm.deaths:
                self._storm.calm()
            if not ward.is_async:
                self._pace.learn(runs)
                if ward.limited:
                    self._watch_head(ward)
            else:
                self._mix.go_on()
        if news:
            self._news += news
            self._told.set()
            self._moved.set()

    def _tell(self, news: Sequence[Begun | Outcome]) -> None:
        self._news += news
        self._told.set()
        self._moved.set()

    # --- ending jobs --------------------------------------------------------------------------------------------------

    def _watch_head(self, ward: Ward) -> None:
        """Start the clock of the hard limit of the job that runs now."""
        if ward.is_async:
            return
        head = ward.head()
        if head is not None and head.number == ward.overdue_number:
            return
        if ward.overdue:
            ward.overdue.cancel()
            ward.overdue = None
        ward.overdue_number = head.number if head else -1
        ward.limited = ward.limited and head is not None
        if head and head.hard is not None:
            ward.overdue = self._loop.call_later(head.hard + _SLACK, self._overdue, ward, head.number)

    def _overdue(self, ward: Ward, number: int) -> None:
        self._collect(ward)
        if ward.overdue_number != number:
            return
        if ward.line.unbegun() < len(ward.jobs):
            self._kill_for(ward, number, Kind.TIMEOUT)
        else:  # this machine is so slow that the job has not even begun
            ward.overdue_number = -1
            self._watch_head(ward)

    def _end_job(self, ward: Ward, number: int, how: Stop) -> None:
        if ward.is_async:
            if ward.ask(number, how):
                self._write_rest(ward)
            if how is Stop.HARD:
                self._loop.call_later(_FORCE, self._force, ward, number)
        elif how is Stop.HARD:
            self._kill_for(ward, number, Kind.TERMINATED)
        else:
            ward.line.alarm(number)
            self._nursery.kill(ward.pid, signal.SIGUSR1)

    def _force(self, ward: Ward, number: int) -> None:
        if number in ward.jobs:
            self._kill_for(ward, number, Kind.TERMINATED)

    def _kill_for(self, ward: Ward, number: int, kind: Kind) -> None:
        ward.verdicts.setdefault(number, kind)
        ward.leaving = True
        self._nursery.kill(ward.pid, signal.SIGKILL)

    # --- children come and go -----------------------------------------------------------------------------------------

    def _restaff(self) -> None:
        """Fork what is missing, but not faster than deaths allow."""
        if self._stopping or self._failure or not self._nursery.lives:
            return
        wait = self._not_before - clock.monotonic()
        if wait > 0:
            self._loop.call_later(wait, self._restaff)
            return
        while self._sync.staff < self.slots:
            self._spawn(self._sync)

    def _spawn(self, lane: Lane) -> None:
        if not self._nursery.lives or clock.monotonic() < self._not_before:
            return
        taken = {ward.index for each in self._lanes for ward in each.wards} | {index for index, _ in self._births.values()}
        index = next(number for number in range(1, len(taken) + 2) if number not in taken)
        self._tickets += 1
        lane.expected += 1
        self._births[self._tickets] = (index, lane)
        if signals.worker_before_create_process.receivers:
            signals.worker_before_create_process.tell(self)
        self._nursery.fork(self._tickets, index, is_async=lane.is_async)

    def born(self, ticket: int, pid: int, ends: PoolEnds) -> None:
        index, lane = self._births.pop(ticket)
        lane.expected -= 1
        ward = open_ward(pid, index, ends, is_async=lane.is_async)
        lane.wards.append(ward)
        self._loop.add_reader(ward.line.socket, self._hear, ward)
        self._moved.set()
        if self._stopping:
            self._nursery.kill(pid, signal.SIGKILL)

    def unborn(self, ticket: int, error: int) -> None:
        _, lane = self._births.pop(ticket)
        lane.expected -= 1
        how = f"no process can be forked: {os.strerror(error)}"
        log.error("%s", how)
        self._count_death(how)
        self._moved.set()

    def died(self, pid: int, status: int) -> None:
        lane, ward = next(((lane, ward) for lane in self._lanes for ward in lane.wards if ward.pid == pid), (self._sync, None))
        if ward is None:  # it could not be handed over when it was born
            return
        how = describe(status)
        if LEAVING in ward.line.bells():  # of its own accord: word of its end was faster than its last word
            ward.leaving = True
        lost = self._strike_off(lane, ward, how)
        if self._stopping:
            self._give_back(lane)
        elif ward.verdicts or lost or ward.leaving:
            if ward.verdicts:
                log.info("child process %s was ended for its task's sake", pid)
            elif lost:
                log.error("child process %s died in its task: %s", pid, how)
            else:
                log.info("child process %s has done its share and ended", pid)
            self._restaff()
            self._deal()
        else:
            log.error("child process %s died: %s", pid, how)
            self._count_death(how)
        self._moved.set()

    def _strike_off(self, lane: Lane, ward: Ward, how: str) -> list[Outcome]:
        lane.wards.remove(ward)
        self._loop.remove_reader(ward.line.socket)
        self._loop.remove_writer(ward.line.socket)
        self._collect(ward)
        unbegun, lost = ward.close(how)
        lane.put_back(unbegun)
        self._tell(lost)
        return lost

    def _count_death(self, how: str) -> None:
        if self._stopping or self._failure:
            return
        now = clock.monotonic()
        self._not_before = now + self._storm.death(now)
        if self._storm.rages and not self._proven:
            self._fail(f"child processes die before they can work, {len(self._storm)} in {PERIOD:.0f} s; the last one: {how}")
        self._restaff()
        self._deal()

    def _let_go(self, ward: Ward) -> None:
        """It has reached its limit of tasks or memory, and ends by itself."""
        lane = next(lane for lane in self._lanes if ward in lane.wards)
        ward.leaving = True
        self._take_back(lane, ward)
        self._loop.call_later(GRACE, self._hurry, lane, ward)
        self._restaff()

    def _dismiss(self, lane: Lane, ward: Ward) -> None:
        self._take_back(lane, ward)
        if ward.dismiss():
            self._write_rest(ward)
        self._loop.call_later(GRACE, self._hurry, lane, ward)

    def _hurry(self, lane: Lane, ward: Ward) -> None:
        """Wait for the jobs of a child that is to leave, but not for ever for its end."""
        if ward not in lane.wards or self._stopping:
            return
        if ward.jobs:
            self._loop.call_later(GRACE, self._hurry, lane, ward)
        else:
            log.warning("child process %s does not end and is killed", ward.pid)
            self._nursery.kill(ward.pid, signal.SIGKILL)

    def orphaned(self, status: int) -> None:
        """The nursery is dead, and with it all children: a new one takes its place."""
        for lane in self._lanes:
            for ward in list(lane.wards):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(ward.pid, signal.SIGKILL)
                self._strike_off(lane, ward, describe(-signal.SIGKILL))
            lane.expected = 0
            if self._stopping:
                self._give_back(lane)
        self._births.clear()
        if not self._stopping:
            log.error("the process that forks children died (%s), and they with it: a new one takes its place", describe(status))
            self._loop.call_later(self._storm.death(clock.monotonic()), self._renew_nursery)
        self._moved.set()

    def _renew_nursery(self) -> None:
        if self._stopping or self._failure:
            return
        try:
            self._nursery.start()
        except OSError as error:
            log.error("no process can be forked: %s", error)
            self._loop.call_later(_NO_FORK, self._renew_nursery)
        self._restaff()
        self._deal()

    def _fail(self, why: str) -> None:
        self._failure = WorkerError(why)
        for lane in self._lanes:
            self._give_back(lane)
        self._told.set()
        self._moved.set()

    async def _until(self, fact: Callable[[], bool]) -> None:
        while not fact():
            self._moved.clear()
            await self._moved.wait()
