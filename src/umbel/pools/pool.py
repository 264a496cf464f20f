"""The contract of pools: jobs run elsewhere, in child processes, in threads or on an event loop.

An implementation keeps all of it, and proves it with `umbel.testing.pools.PoolContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from umbel.execution.outcome import Begun, Job, Outcome


class Runner(Protocol):
    """What a pool needs of the execution room; called in the process and thread that runs the job."""

    def run(self, job: Job) -> Outcome:
        """Run it to its end, whatever happens; raises nothing but what ends the process.

        In a child process a soft cancel raises `SoftTimeLimitExceeded` out of a signal handler, anywhere inside `run`. It belongs
        into the task; if it leaves `run`, because it came just before or just after the task, the job ends as `TERMINATED`.
        """
        ...

    async def run_async(self, job: Job) -> Outcome:
        """The same for an `async def` task; keeps the job's soft and hard limit itself.

        To cancel, the pool calls `asyncio.Task.cancel(how)` with a `Stop`: "soft" is to be raised in the task as
        `SoftTimeLimitExceeded`, after "hard" the outcome is `TERMINATED`, which is also what a `CancelledError` that leaves
        `run_async` means. A job that goes on for a second after "hard" is left to itself and told as `TERMINATED`.
        """
        ...

    def enter(self) -> None:
        """Called once in each new child process before its first job (`worker_process_init`)."""
        ...

    def leave(self) -> None:
        """Called once in each child process before it ends in order (`worker_process_shutdown`)."""
        ...


class Stop(StrEnum):
    """How hard a running job is asked to end."""

    UNLESS_BEGUN = "unless begun"
    """Take it out before it begins; what runs goes on."""
    SOFT = "soft"
    """Raise `SoftTimeLimitExceeded` inside the task."""
    HARD = "hard"
    """End it from outside; its outcome is `TERMINATED`."""


class Abilities(msgspec.Struct, frozen=True):
    """What a pool can do for sync and for async tasks; what it cannot keep it leaves to run."""

    soft_sync: bool
    hard_sync: bool
    soft_async: bool
    hard_async: bool


class Pool(ABC):
    """Runs jobs elsewhere. Belongs to the event loop's thread: no method is called from another.

    `RETURNED` outcomes may come at any time: what would wait for long goes back, so that others can run it.

    1. Every submitted job yields exactly one outcome, even if its process died.
    2. A soft limit raises inside the task; a hard limit ends the run, `TIMEOUT`. What cannot be kept is not in `abilities`.
    3. No job waits behind a long one while another process idles: jobs not begun are taken back and handed out again.
    4. Bodies stay bytes until the place that runs them; values come back as bytes.
    5. Recycling (by count, by memory) is the pool's own affair and neither loses nor runs a job twice.
    6. A process that dies is replaced; if they die in a storm (see `WorkerError`), `news` raises `WorkerError`.
    """

    abilities: Abilities
    slots: int
    """How many sync jobs run at once."""

    @abstractmethod
    async def start(self) -> None:
        """Make it ready: children forked, threads started."""

    @abstractmethod
    async def room(self) -> int:
        """How many jobs may be submitted now, at least 1: waits until there is room."""

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None:
        """Take these, at once, without blocking; more than `room` only makes them wait here, or return."""

    @abstractmethod
    async def news(self) -> list[Begun | Outcome]:
        """All that happened since the last call; waits until there is something. `[]` if the pool has stopped and told all."""

    @abstractmethod
    def take_back(self) -> None:
        """Ask for everything that has not begun: it comes as `RETURNED` outcomes."""

    @abstractmethod
    def cancel(self, number: int, how: Stop) -> bool:
        """Ask a submitted job to end; True if it was here and is asked (see `abilities`).

        One that had not begun yields `TERMINATED`; with `UNLESS_BEGUN`, False says that it runs, or is over.
        """

    @abstractmethod
    def running(self) -> list[Begun]:
        """What runs now, and since when (within a tenth of a second). Found out when it is asked: it costs jobs nothing."""

    @abstractmethod
    async def resize(self, slots: int) -> None:
        """Grow or shrink; a busy process ends after its job. Raises ValueError where there is one size only."""

    can_renew = False
    """True if it has processes of its own, in whose place new ones can be put."""

    async def renew(self, modules: Sequence[str] = (), *, again: bool = False) -> None:
        """Put new processes in the place of all; a busy one ends after its job. ValueError where there are none.

        The new ones have imported these modules; with `again` those that are imported already once more.
        """
        raise ValueError("this pool has no processes of its own that could begin anew")

    @abstractmethod
    def pids(self) -> list[int]:
        """The processes that run jobs now (this one, if they run in threads)."""

    @abstractmethod
    async def stop(self, *, at_once: bool = False) -> None:
        """End all; idle processes in order, with `at_once` by force. What still ran yields its `LOST` outcome to `news`.

        Also after `news` has raised `WorkerError`: then this tells what it left running.
        """
