"""Threads that run jobs, each the next that waits."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import time

from umbel import clock
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.pools.juggler import Juggler
from umbel.pools.mailbox import Mailbox
from umbel.pools.pool import Runner, Stop

log = logging.getLogger("umbel.pools")


class Crew:
    """Up to `size` threads on one queue, so that no job waits behind another while a thread idles.

    Called from the loop's thread.
    """

    def __init__(self, runner: Runner, size: int, mailbox: Mailbox, name: str):
        self.size = size
        self._runner = runner
        self._mailbox = mailbox
        self._name = name
        self._pid = os.getpid()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """How many jobs have not begun."""
        return self._jobs.qsize()

    def submit(self, jobs: list[Job], held: int) -> None:
        """Let them wait for a thread; `held` is how many there are now, running ones included."""
        for job in jobs:
            self._jobs.put(job)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        while len(self._threads) < min(self.size, held):
            # A daemon: a task that never ends must not keep the process alive after its pool has stopped.
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def take_back(self) -> list[Job]:
        """Those that have not begun."""
        taken: list[Job] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return taken
            if job is not None:
                taken.append(job)

    def resize(self, size: int) -> None:
        """Grow or shrink; threads that are too many end when they are free."""
        self.size = size
        alive = sum(thread.is_alive() for thread in self._threads)
        waiting = self.take_back()  # with what earlier calls have put there to end threads
        for _ in range(alive - size):
            self._jobs.put(None)
        for job in waiting:
            self._jobs.put(job)

    def dismiss(self) -> None:
        """End all that are free, and the others after their jobs."""
        for _ in self._threads:
            self._jobs.put(None)

    def join(self, patience: float) -> None:
        """Wait until they have ended, but not longer than this together."""
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def cancel(self, job: Job, how: Stop) -> bool:
        """False: a thread cannot be ended from outside, nor does an exception reach it while it waits for something."""
        return False

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.tell:
                self._mailbox.begun(Begun(job.number, self._pid, clock.now()))
            self._run(job)

    def _run(self, job: Job) -> None:
        start = clock.monotonic()
        try:
            outcome = self._runner.run(job)
        except BaseException as error:  # what would end a process ends only this run
            log.critical("job %s of task %s broke out of its run", job.number, job.task, exc_info=True)
            outcome = Outcome(job.number, Kind.LOST, text=repr(error))
        self._mailbox.ended(outcome, clock.monotonic() - start)


class LoneHand(Crew):
    """One thread that runs all jobs, async ones too, one at a time."""

    def __init__(self, runner: Runner, mailbox: Mailbox, name: str):
        super().__init__(runner, 1, mailbox, name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._juggler = Juggler(runner, mailbox.begun, mailbox.ended)

    def _work(self) -> None:
        with asyncio.Runner() as rounds:
            self._loop = rounds.get_loop()
            while (job := self._jobs.get()) is not None:
                if job.is_async:
                    rounds.run(self._run_async(job))
                    continue
                if job.tell:
                    self._mailbox.begun(Begun(job.number, self._pid, clock.now()))
                self._run(job)

    async def _run_async(self, job: Job) -> None:
        self._juggler.begin(job)
        await self._juggler.drain()

    def cancel(self, job: Job, how: Stop) -> bool:
        """Cancel the job, which runs, if it is an async one."""
        if self._loop is None or not job.is_async:
            return False
        self._loop.call_soon_threadsafe(self._cancel, self._loop, job.number, how)
        return True

    def _cancel(self, loop: asyncio.AbstractEventLoop, number: int, how: Stop) -> None:
        if not self._juggler.cancel(number, how):  # not yet: this turn of the loop begins it
            loop.call_soon(self._juggler.cancel, number, how)
