"""A child process as the pool sees it: its line, the jobs in its hands, and what is known of them."""

from __future__ import annotations

import asyncio
import math
from itertools import islice

from umbel import clock
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.pools.line import Line, PoolEnds
from umbel.pools.pace import BATCH_BYTES
from umbel.pools.pool import Stop


class Ward:
    """One child. Belongs to the event loop's thread."""

    def __init__(self, pid: int, index: int, line: Line, *, is_async: bool):
        self.pid = pid
        self.index = index
        self.is_async = is_async
        self.line = line
        self.ready = False
        """True once it has told that it can work."""
        self.leaving = False
        """True if it gets no more jobs."""
        self.stuck = False
        """True if its jobs were taken back because it was silent; until one ends, or, if async, until it may be tried again."""
        self.rescued = 0.0
        """When that was."""
        self.heard = clock.monotonic()
        """When it last told something, or got a job while it had none."""
        self.jobs: dict[int, tuple[Job, float]] = {}
        """What it has, in the order of handing out, which is the order of beginning; each with its cost or, if async,
        with the time at which the pool ends it by force."""
        self.load = 0.0
        self.limited = False
        """True if one of the jobs may have a hard limit."""
        self.begun_at: dict[int, float] = {}
        """When async jobs were handed out (monotonic), which is when they begin; also of some that have ended."""
        self.verdicts: dict[int, Kind] = {}
        """What to tell of jobs if the process is dead: the pool has killed it for their sake."""
        self.overdue: asyncio.TimerHandle | None = None
        self.overdue_number = -1

    @property
    def takes(self) -> bool:
        """True if it may be given jobs now: what waits to be written to it already is never more than two large batches."""
        return self.ready and not (self.leaving or self.stuck or self.line.unsent > BATCH_BYTES)

    @property
    def unsure(self) -> bool:
        """True if it may have jobs that have not begun."""
        return len(self.jobs) > 1 or (self.is_async and bool(self.jobs))

    def hand_out(self, batch: list[tuple[Job, float]]) -> bool:
        """Give it these jobs; True if a part of the frame waits. It gets none of them if there is one that cannot be encoded."""
        if not self.jobs:
            self.heard = clock.monotonic()
        jobs, load = [], 0.0
        for entry in batch:
            job, cost = entry
            self.jobs[job.number] = entry
            jobs.append(job)
            load += cost
            if job.hard is not None:
                self.limited = True
        if not self.is_async:
            self.load += load
        else:
            self._note_begin(jobs)
        try:
            return self.line.send(jobs)
        except BaseException:
            for job in jobs:
                del self.jobs[job.number]
            if not self.is_async:
                self.load -= load
            raise

    def _note_begin(self, jobs: list[Job]) -> None:
        self.begun_at.update(dict.fromkeys([job.number for job in jobs], clock.monotonic()))
        if len(self.begun_at) > 2 * len(self.jobs) + 1000:
            self.begun_at = {number: since for number, since in self.begun_at.items() if number in self.jobs}

    def take_back(self) -> list[Job]:
        """The jobs that have not begun, in order, no longer its own."""
        count = self.line.take_back()
        taken = [job for job, _ in islice(self.jobs.values(), len(self.jobs) - count, None)]
        for job in taken:
            del self.jobs[job.number]
        self.load = math.inf if self.jobs and not self.is_async else 0.0
        return taken

    def collect(self) -> tuple[list[Begun | Outcome], list[tuple[Job, float]]]:
        """What it has told; and the jobs that ended, with their durations."""
        begun, ended = self.line.reports()
        news: list[Begun | Outcome] = [*begun]
        runs: list[tuple[Job, float]] = []
        load = 0.0
        for outcome, spent in ended:
            entry = self.jobs.pop(outcome.number, None)
            if entry is not None:
                job, cost = entry
                load += cost
                news.append(outcome)
                runs.append((job, spent))
        if news:
            self.heard = clock.monotonic()
        if runs:
            self.stuck = False
            if not self.is_async:  # an idle child's load is 0: that ends the drift of floats, and what came of infinity
                self.load = self.load - load if self.jobs else 0.0
        return news, runs

    def running(self) -> list[tuple[int, float]]:
        """The jobs that have begun, after a `collect`, and since when (monotonic)."""
        count = len(self.jobs) - self.line.unbegun()
        if self.is_async:
            return [(number, self.begun_at.get(number, self.heard)) for number in islice(self.jobs, max(count, 0))]
        return [(number, self.heard) for number in islice(self.jobs, min(max(count, 0), 1))]

    def head(self) -> Job | None:
        """The job that runs, of a child for sync jobs."""
        return next(iter(self.jobs.values()))[0] if self.jobs else None

    def ask(self, number: int, how: Stop) -> bool:
        """Tell a child for async jobs to cancel one; True if a part of the frame waits."""
        return self.line.send(cancel=[(number, how.value)])

    def dismiss(self) -> bool:
        """Tell it to end in order; True if a part of the frame waits."""
        self.leaving = True
        return self.line.send(stop=True)

    def close(self, how: str) -> tuple[list[Job], list[Outcome]]:
        """After its death and the last `collect`: what it had not begun, and how what it ran has ended."""
        unbegun = self.take_back()
        lost = [Outcome(number, self.verdicts.get(number, Kind.LOST), text=how) for number in self.jobs]
        self.jobs.clear()
        if self.overdue:
            self.overdue.cancel()
        self.line.close()
        return unbegun, lost


def open_ward(pid: int, index: int, ends: PoolEnds, *, is_async: bool) -> Ward:
    """A ward on a line that has just been handed over."""
    return Ward(pid, index, Line(ends), is_async=is_async)
