"""How many jobs a pool takes that has places for sync jobs and others for async ones, and cannot know which will come."""

from __future__ import annotations

from collections.abc import Sequence

from umbel.execution.outcome import Job

SPARE = 32
"""Jobs of one kind that may wait while all its places are taken, so that a worker of both kinds still gets the other."""
_FORGET = 60.0  # seconds after which a kind that does not come any more counts no longer


class Mix:
    """Remembers which kinds of jobs come."""

    def __init__(self) -> None:
        self._last: dict[bool, float] = {}

    def came(self, jobs: Sequence[Job], now: float) -> None:
        """Take note of these."""
        for job in jobs:
            self._last[job.is_async] = now

    def comes(self, now: float, *, is_async: bool) -> bool:
        """True if jobs of this kind came lately."""
        last = self._last.get(is_async)
        return last is not None and now - last < _FORGET

    def room(self, now: float, *, sync: int, waiting: int, aside: int, async_waiting: int) -> int:
        """How many jobs of any kind to take, for `sync` and `aside` free places and what waits for them already."""
        if not self.comes(now, is_async=True):
            return sync
        if not self.comes(now, is_async=False):
            return aside
        return min(max(sync, SPARE - waiting), max(aside, SPARE - async_waiting))
