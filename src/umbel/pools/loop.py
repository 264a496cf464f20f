"""The asyncio pool: for async tasks, in one process."""

from __future__ import annotations

from umbel.pools.inside import InsidePool
from umbel.pools.pool import Runner


class LoopPool(InsidePool):
    """One thread with an event loop for up to `slots` async jobs; sync ones run in as many threads, made when needed."""

    def __init__(self, runner: Runner, slots: int = 100):
        super().__init__(runner, slots=slots, async_slots=slots)

    async def resize(self, slots: int) -> None:
        self._async_slots = slots
        await super().resize(slots)
        self._begin_waiting()
