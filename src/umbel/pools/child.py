"""What runs inside a child process of the process pool: jobs, one after the other or, if they are async, side by side."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from umbel import clock, guise
from umbel.errors import SoftTimeLimitExceeded
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.log import end_lines, unfinished
from umbel.pools import copies
from umbel.pools.juggler import Juggler
from umbel.pools.line import LEAVING, READY, UNREADABLE, ChildEnds, Frame, Post, token
from umbel.pools.pool import Runner, Stop

log = guise.logger("umbel.pools")

index = 0
"""The number of this child in its pool, from 1; 0 in every other process. Set before `Runner.enter`."""

around: Callable[[Callable[[], None]], None] | None = None
"""A door: called in each child with its whole life, which it is to run. What it does after that is done however the life ends,
unless the process is killed; it has the `GRACE` of the pool for it. Set it before a worker starts."""

_PROMPT = 0.001
"""Seconds that news may wait for company before the bell rings; also what makes a task short."""


class Plan(msgspec.Struct, frozen=True):
    """How children live."""

    runner: Runner
    max_tasks: int | None = None
    max_memory: int | None = None
    """KiB of resident memory."""
    names: Callable[[int], str] | None = None

    def live(self, ends: ChildEnds, number: int, is_async: bool) -> None:
        """The life of one child, from just after its fork to just before its exit."""
        global index
        index = number
        _settle_in(self.names(number) if self.names else "", number)
        life = partial(self._serve, Post(ends), is_async)
        try:
            if around is None:
                life()
            else:
                around(life)
        except SystemExit:
            raise
        except BaseException:
            log.critical("child process %s ends: error outside of tasks", os.getpid(), exc_info=True)
            raise SystemExit(1) from None

    def _serve(self, post: Post, is_async: bool) -> None:
        copies.on_copy(post.leave)
        self.runner.enter()
        post.ring(READY)
        limits = Limits(self.max_tasks, self.max_memory)
        try:
            if is_async:
                asyncio.run(AsyncChild(post, self.runner, limits).serve())
            else:
                Child(post, self.runner, limits).serve()
        except BaseException:
            if post.left:
                copies.leave()
            raise
        self.runner.leave()
        _clean_up()


def _settle_in(name: str, number: int) -> None:
    """What a new process needs that the fork does not give."""
    if "numpy" in sys.modules:  # the standard library reseeds itself
        sys.modules["numpy"].random.seed()
    if "multiprocessing.process" in sys.modules:
        process: Any = sys.modules["multiprocessing.process"]
        process._children = set()  # those that the worker has started are not this process's to wait for
    if name:
        import multiprocessing  # here, because only its process name is wanted, which log records show

        own: Any = multiprocessing.current_process()
        own.name = name
        own.index = number - 1  # which tasks of Celery's ask for, to tell processes apart


def _clean_up() -> None:
    """End what tasks have left to `multiprocessing`, as the end of a program would."""
    if "multiprocessing.util" in sys.modules:
        util: Any = sys.modules["multiprocessing.util"]
        util._exit_function()


class Limits:
    """Says when a child has done enough."""

    def __init__(self, max_tasks: int | None, max_memory: int | None):
        self._left = max_tasks
        self._memory = max_memory
        self._statm = os.open("/proc/self/statm", os.O_RDONLY) if max_memory and os.path.exists("/proc/self/statm") else -1
        self.any = max_tasks is not None or max_memory is not None

    def reached(self) -> bool:
        """Count one job; True if it was to be the last."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                return True
        return self._memory is not None and self._resident() > self._memory

    def _resident(self) -> int:
        """KiB now, or, where the system does not tell, at the most so far."""
        if self._statm >= 0:
            return int(os.pread(self._statm, 128, 0).split()[1]) * (resource.getpagesize() // 1024)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


class Child:
    """Runs sync jobs in the main thread."""

    def __init__(self, post: Post, runner: Runner, limits: Limits):
        self._post = post
        self._runner = runner
        self._limits = limits
        self._pid = os.getpid()
        self._token = b""
        self._running: int | None = None
        self._asked: set[int] = set()
        self._spent: dict[str, float] = {}

    def serve(self) -> None:
        """Work until told to stop, until the limits are reached, or until the pool is gone."""
        signal.signal(signal.SIGUSR1, self._interrupt)
        try:
            while (frame := self._post.receive()) is not None and not frame.stop:
                if not self._work(frame):
                    self._post.ring(LEAVING)
                    break
        finally:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def _work(self, frame: Frame) -> bool:
        """Run those jobs of the frame that are still ours, and report each; False if the limits are reached.

        Rings unless more news are likely within a moment. Where that is a mistake the pool comes to look by itself, except at a
        child that has one job only.
        """
        post, last, mine = self._post, len(frame.jobs), token(frame.generation)
        for place, job in enumerate(frame.jobs, 1):
            found = self._token or post.claim()
            if found != mine:  # the pool has taken back the rest; a newer token is for a later frame
                self._token = found
                break
            self._token = b""
            if job.tell:
                post.report(Begun(job.number, self._pid, clock.now()), -1.0)
            if post.silent and (self._spent.get(job.task, 1.0) > _PROMPT or (job.tell and place == last)):
                post.ring()
            start = clock.monotonic()
            outcome = None
            try:
                self._running = job.number
                if job.task == UNREADABLE:
                    outcome = Outcome(job.number, Kind.UNTOLD, text=job.envelope.body.decode())
                elif job.number not in self._asked:
                    outcome = self._runner.run(job)
                self._running = None
            except SoftTimeLimitExceeded:
                self._running = None
            if self._asked:
                self._asked.clear()
            if outcome is None:  # asked for so early or so late that the runner was not in the task: it ends without a verdict
                outcome = Outcome(job.number, Kind.TERMINATED, text="SoftTimeLimitExceeded()")
            if unfinished:
                end_lines()
            now = clock.monotonic()
            self._spent[job.task] = spent = now - start
            post.report(outcome, spent)
            if now - post.rung > _PROMPT:
                post.ring()
            if self._limits.any and self._limits.reached():
                return False
        if post.silent:
            post.ring()
        return True

    def _interrupt(self, number: int, frame: object) -> None:
        """SIGUSR1: some job is to end. It may have ended meanwhile, so what counts is the number left on the line."""
        self._asked |= self._post.alarms()
        if self._running is not None and self._running in self._asked:
            self._running = None
            raise SoftTimeLimitExceeded


class AsyncChild:
    """Runs async jobs on one event loop."""

    def __init__(self, post: Post, runner: Runner, limits: Limits):
        self._post = post
        self._limits = limits
        self._juggler = Juggler(runner, self._tell)
        self._stopped = asyncio.Event()
        self._token = b""
        self._ringing = False

    async def serve(self) -> None:
        """Work until told to stop, until the limits are reached, or until the pool is gone; what runs may end first."""
        self._loop = asyncio.get_running_loop()
        copies.on_copy(self._leave)
        self._post.socket.setblocking(False)
        self._loop.add_reader(self._post.socket, self._read)
        await self._stopped.wait()
        await self._juggler.drain()
        self._loop.remove_reader(self._post.socket)
        self._post.socket.setblocking(True)

    def _leave(self) -> None:
        """In a copy of this process: end it instead of another turn of the loop, whose other jobs are the original's."""
        self._loop.call_soon(copies.leave)

    def _read(self) -> None:
        alive = self._post.fill()
        while (frame := self._post.parse()) is not None:
            self._obey(frame)
        if not alive:
            os._exit(0)  # nobody is left to be told; what runs will run again elsewhere

    def _obey(self, frame: Frame) -> None:
        for number, how in frame.cancel:
            self._juggler.cancel(number, Stop(how))
        mine = token(frame.generation)
        for job in frame.jobs:
            if self._stopped.is_set():
                return
            self._token = self._token or self._post.claim()
            if self._token != mine:
                break
            self._token = b""
            self._begin(job)
        if frame.stop:
            self._stopped.set()

    def _begin(self, job: Job) -> None:
        if job.task == UNREADABLE:
            self._tell(Outcome(job.number, Kind.UNTOLD, text=job.envelope.body.decode()), 0.0)
        else:
            self._juggler.begin(job)
        if self._limits.any and self._limits.reached():
            self._stopped.set()
            self._post.ring(LEAVING)

    def _tell(self, news: Begun | Outcome, spent: float) -> None:
        """Report; one bell for all that happens in one turn of the loop."""
        self._post.report(news, spent)
        if not self._ringing:
            self._ringing = True
            self._loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._ringing = False
        self._post.ring()
