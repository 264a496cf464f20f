"""How many jobs a pool takes that has places for sync jobs and others for async ones, and cannot know which will come."""

from __future__ import annotations

import math

SPARE = 32
"""Jobs of one kind that may wait while all its places are taken, so that a worker of both kinds still gets the other."""
FORGET = 60.0
"""Seconds after which a kind that does not come any more counts no longer."""


class Mix:
    """Remembers which kinds of jobs come."""

    def __init__(self) -> None:
        self.sync_came = -math.inf
        """When the last sync job came; set by the pool."""
        self.async_came = -math.inf

    def room(self, now: float, *, sync: int, waiting: int, aside: int, async_waiting: int) -> int:
        """How many jobs of any kind to take, for `sync` and `aside` free places and what waits for them already."""
        if now - self.async_came > FORGET:
            return sync
        if now - self.sync_came > FORGET:
            return aside
        return min(max(sync, SPARE - waiting), max(aside, SPARE - async_waiting))
