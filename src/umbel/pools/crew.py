"""Threads that run jobs, each the next that waits."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable
from contextvars import copy_context

import msgspec

from umbel import clock, guise
from umbel.errors import SoftTimeLimitExceeded
from umbel.execution import limits
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.log import end_lines, unfinished
from umbel.pools.juggler import Juggler, Tell
from umbel.pools.pool import Runner, Stop
from umbel.wire.brief import brief

log = guise.logger("umbel.pools")


class Run(msgspec.Struct, gc=False, eq=False):
    """What one thread runs. Belongs to that thread; others look, and change the flags under the crew's lock."""

    thread: int
    number: int = 0
    """The job that may be interrupted now; 0 if there is none."""
    since: float = 0.0
    """When it began (monotonic)."""
    is_struck: bool = False
    """True if this job was interrupted, which happens once at most."""
    is_abandoned: bool = False
    """True if the thread is left to itself."""


class Crew:
    """Up to `size` threads on one queue, so that no job waits behind another while a thread idles.

    Called from the loop's thread.
    """

    def __init__(self, runner: Runner, size: int, tell: Tell, name: str, *, begun: Callable[[Job], None]):
        """`begun` is called, in its thread, when a job with a limit begins."""
        self.size = size
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        """Those that have not begun; the pool puts them here and lets the crew `grow`. None ends the thread that gets it."""
        self.staff = 0
        """How many threads have been started and not told to end."""
        self._runner = runner
        self._tell = tell
        self._begun = begun
        self._name = name
        self._pid = os.getpid()
        self._threads: list[threading.Thread] = []
        self._runs: list[Run] = []
        self._lock = threading.Lock()
        self.abandoned = 0
        """How many threads run on that were left to themselves."""

    def grow(self, held: int) -> None:
        """Start the threads that are missing for `held` jobs, running ones included."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        while self.staff < min(self.size, held):
            self.staff += 1
            # A daemon: a task that never ends must not keep the process alive after its pool has stopped.
            around = copy_context()  # in which the worker's app is the current one
            thread = threading.Thread(target=around.run, args=(self._live,), name=f"{self._name}-{self.staff}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def take_back(self) -> list[Job]:
        """Those that have not begun."""
        taken: list[Job] = []
        ends = 0
        while True:
            try:
                job = self.jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                ends += 1
            else:
                taken.append(job)
        for _ in range(ends):
            self.jobs.put(None)
        return taken

    def put_back(self, jobs: list[Job]) -> None:
        """Let them wait again."""
        for job in jobs:
            self.jobs.put(job)

    def resize(self, size: int) -> None:
        """Grow (when jobs come) or shrink; threads that are too many end when they are free."""
        self.size = size
        waiting = self.take_back()
        for _ in range(self.staff - size):
            self.jobs.put(None)
        self.staff = min(self.staff, size)
        self.put_back(waiting)

    def dismiss(self) -> None:
        """End all that are free, and the others after their jobs."""
        for _ in range(self.staff):
            self.jobs.put(None)

    def join(self, patience: float) -> None:
        """Wait until they have ended, but not longer than this together."""
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def interrupt(self, number: int) -> bool:
        """Raise `SoftTimeLimitExceeded` in a sync job that runs, once; False if it does not run yet, or any more."""
        with self._lock:
            run = self._run_of(number)
            if run is not None and not run.is_struck:
                run.is_struck = True  # first: who ends the job now sees it, and waits for the lock
                if run.number != number:
                    run.is_struck = False
                    return False
                limits.interrupt(run.thread)
            return run is not None

    def abandon(self, number: int) -> bool:
        """Leave the thread of a job that runs to itself: it takes no other, and another takes its place; False as above."""
        with self._lock:
            run = self._run_of(number)
            if run is not None and not run.is_abandoned:
                run.is_abandoned = True
                self.staff -= 1
                self.abandoned += 1
            return run is not None

    def running(self) -> dict[int, float]:
        """The sync jobs that run, and since when (monotonic)."""
        return {run.number: run.since for run in list(self._runs) if run.number}

    def _run_of(self, number: int) -> Run | None:
        return next((run for run in self._runs if run.number == number), None)

    def cancel_async(self, job: Job, how: Stop) -> bool:
        """False: the async jobs are not here."""
        return False

    def _live(self) -> None:
        self._work()

    def _work(self) -> Job | None:
        """Run sync jobs, until another one comes, or None: which it gives.

        What `interrupt` raises belongs into the task; beside it, it ends the job without a verdict.
        """
        tell, run = self._tell, Run(threading.get_ident())
        self._runs.append(run)
        while (job := self.jobs.get()) is not None and not job.is_async:
            outcome = None
            if job.tell:
                tell(Begun(job.number, self._pid, clock.now()), -1.0)
            if job.soft is not None or job.hard is not None:
                self._begun(job)
            start = run.since = clock.monotonic()
            try:
                try:
                    run.is_struck = False
                    run.number = job.number  # from here on it may be interrupted, and not before
                    outcome = self._runner.run(job)
                finally:
                    run.number = 0
                    if run.is_struck:
                        with self._lock:
                            limits.calm()
            except SoftTimeLimitExceeded:
                run.number = 0
            except BaseException as error:  # what would end a process ends only this run
                log.critical("job %s of task %s broke out of its run", job.number, job.task, exc_info=True)
                outcome = Outcome(job.number, Kind.LOST, text=brief(error))
            if unfinished:
                end_lines(job.envelope.id)
            tell(outcome or Outcome(job.number, Kind.TERMINATED, text="SoftTimeLimitExceeded()"), clock.monotonic() - start)
            if run.is_abandoned:
                self.abandoned -= 1
                job = None
                break
        self._runs.remove(run)
        return job


class LoneHand(Crew):
    """One thread that runs all jobs, async ones too, one at a time."""

    def __init__(self, runner: Runner, tell: Tell, name: str, *, begun: Callable[[Job], None]):
        super().__init__(runner, 1, tell, name, begun=begun)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._juggler = Juggler(runner, tell)
        self._alone: dict[int, float] = {}
        """The async job that runs, and since when."""

    def _live(self) -> None:
        with asyncio.Runner() as rounds:
            self._loop, self._juggler = rounds.get_loop(), Juggler(self._runner, self._tell)
            while (job := self._work()) is not None:
                rounds.run(self._run_async(job))

    async def _run_async(self, job: Job) -> None:
        self._alone = {job.number: clock.monotonic()}
        self._juggler.begin(job)
        await self._juggler.drain()
        self._alone = {}

    def running(self) -> dict[int, float]:
        return super().running() | self._alone

    def cancel_async(self, job: Job, how: Stop) -> bool:
        """Cancel the job, which runs."""
        if self._loop is None:
            return False
        self._loop.call_soon_threadsafe(self._cancel, self._loop, job.number, how)
        return True

    def _cancel(self, loop: asyncio.AbstractEventLoop, number: int, how: Stop) -> None:
        if not self._juggler.cancel(number, how):  # not yet: this turn of the loop begins it
            loop.call_soon(self._juggler.cancel, number, how)
