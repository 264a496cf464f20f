from __future__ import annotations

import asyncio
import time

from umbel.execution.outcome import Kind
from umbel.pools.loop import LoopPool
from umbel.testing.pools import Acts, PoolContract, Trial, jobs
from umbel.testing.waiting import pace


class TestLoop(PoolContract):
    async_at_once = 2

    def make(self, runner: Acts, slots: int, **options) -> LoopPool:
        return LoopPool(runner, slots)

    def test_slots_is_how_many_async_jobs_run_at_once(self):
        async def sleep(it: Trial) -> None:
            start, paced = time.monotonic(), pace()
            outcomes = await it.run(jobs(2_000, "async_sleep", 0.5))
            assert time.monotonic() - start >= 1.0
            assert pace() - paced < 2.0
            assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}

        asyncio.run(self.try_out(sleep, slots=1_000))
