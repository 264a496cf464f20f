from __future__ import annotations

from umbel.pools.solo import SoloPool
from umbel.testing.pools import Acts, PoolContract


class TestSolo(PoolContract):
    one_at_a_time = True
    async_at_once = 1

    def make(self, runner: Acts, slots: int, **options) -> SoloPool:
        return SoloPool(runner)
