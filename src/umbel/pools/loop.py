"""The asyncio pool: for async tasks, in one process."""

from __future__ import annotations

from umbel.pools.inside import InsidePool
from umbel.pools.pool import Runner


class LoopPool(InsidePool):
    """One thread with an event loop for up to `async_slots` async jobs; sync ones run in `slots` threads, made when needed."""

    def __init__(self, runner: Runner, slots: int = 100, *, async_slots: int | None = None):
        """`async_slots`: as many as `slots` if nothing is said."""
        super().__init__(runner, slots=slots, async_slots=async_slots or slots)

    async def resize(self, slots: int) -> None:
        self._async_slots = max(slots, self._async_slots) if self._async_slots > self.slots else slots
        await super().resize(slots)
        self._begin_waiting()
