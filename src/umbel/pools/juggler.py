"""Many async jobs at once on the event loop of one thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from umbel import clock, guise
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.log import end_lines, unfinished
from umbel.pools.pool import Runner, Stop
from umbel.wire.brief import brief

log = guise.logger("umbel.pools")

Tell = Callable[[Begun | Outcome, float], None]
"""How news leave a thread: what happened, and the seconds it took, or a negative number if it has just begun."""

PATIENCE = 1.0
"""Seconds that a job may go on after its cancellation before it is left to itself and told as ended."""


class Juggler:
    """Runs async jobs and tells when they begin and end. Belongs to its loop's thread."""

    def __init__(self, runner: Runner, tell: Tell):
        self._runner = runner
        self._tell = tell
        self._running: dict[int, asyncio.Task[None]] = {}
        self._abandoned: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._pid = os.getpid()

    def begin(self, job: Job) -> None:
        """Run it from now on, beside the others."""
        self._running[job.number] = asyncio.get_running_loop().create_task(self._run(job))
        if job.tell:
            self._tell(Begun(job.number, self._pid, clock.now()), -1.0)

    async def _run(self, job: Job) -> None:
        start = clock.monotonic()
        try:
            outcome = await self._runner.run_async(job)
        except asyncio.CancelledError:
            outcome = Outcome(job.number, Kind.TERMINATED)
        except BaseException as error:  # the runner's own fault; this loop belongs to others, too
            log.critical("job %s of task %s broke out of its run", job.number, job.task, exc_info=True)
            outcome = Outcome(job.number, Kind.LOST, text=brief(error))
        if unfinished:
            end_lines(job.envelope.id)
        self._end(outcome, clock.monotonic() - start)

    def _end(self, outcome: Outcome, spent: float) -> None:
        if self._running.pop(outcome.number, None):
            self._tell(outcome, spent)
        if not self._running:
            self._idle.set()

    def cancel(self, number: int, how: Stop) -> bool:
        """Cancel a job's task with the message `how`, which tells the runner what is meant; False if it does not run."""
        task = self._running.get(number)
        if task is None:
            return False
        task.cancel(how.value)
        if how is Stop.HARD:
            asyncio.get_running_loop().call_later(PATIENCE, self._abandon, number, clock.monotonic())
        return True

    def _abandon(self, number: int, since: float) -> None:
        task = self._running.get(number)
        if task is not None:
            self._abandoned.add(task)  # the loop itself holds tasks only weakly
            task.add_done_callback(self._abandoned.discard)
            self._end(Outcome(number, Kind.TERMINATED), clock.monotonic() - since)

    async def abandon(self) -> None:
        """Cancel all that runs and leave it, after a moment, to itself."""
        tasks = {*self._running.values(), *self._abandoned}
        self._running.clear()
        for task in tasks:
            task.cancel(Stop.HARD.value)
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE / 2)

    async def drain(self) -> None:
        """Wait until nothing runs."""
        while self._running:
            self._idle.clear()
            await self._idle.wait()
