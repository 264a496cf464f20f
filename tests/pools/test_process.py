from __future__ import annotations

from umbel.pools.process import ProcessPool
from umbel.testing.pools import Acts, PoolContract


class TestProcesses(PoolContract):
    processes = True

    def make(self, runner: Acts, slots: int, **options) -> ProcessPool:
        return ProcessPool(runner, slots=slots, **options)
