from __future__ import annotations

from umbel.pools.thread import ThreadPool
from umbel.testing.pools import Acts, PoolContract


class TestThreads(PoolContract):
    def make(self, runner: Acts, slots: int, **options) -> ThreadPool:
        return ThreadPool(runner, slots)
