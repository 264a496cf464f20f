"""The solo pool: one job at a time, in this process; for debugging, and where there can be one process only."""

from __future__ import annotations

from umbel.pools.crew import Crew, LoneHand
from umbel.pools.inside import InsidePool
from umbel.pools.juggler import Tell
from umbel.pools.pool import Runner


class SoloPool(InsidePool):
    """One thread for all jobs, sync and async. It is not the main thread: that one keeps the worker's leases alive."""

    _loops = False

    def __init__(self, runner: Runner):
        super().__init__(runner, slots=1, async_slots=0)

    def _make_crew(self, tell: Tell) -> Crew:
        return LoneHand(self._runner, tell, "umbel-job", begun=self._begun)

    async def resize(self, slots: int) -> None:
        """There is one slot."""
        if slots != 1:
            raise ValueError("this pool runs one task at a time; choose another with --pool")
