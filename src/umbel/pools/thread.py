"""The pool of threads: for tasks that mostly wait, in one process."""

from __future__ import annotations

from umbel.pools.inside import InsidePool
from umbel.pools.pool import Runner


class ThreadPool(InsidePool):
    """`slots` threads for sync jobs, and one thread with an event loop for up to `async_slots` async ones."""

    def __init__(self, runner: Runner, slots: int, *, async_slots: int = 1000):
        super().__init__(runner, slots=slots, async_slots=async_slots)
