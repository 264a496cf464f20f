"""How many jobs a pool takes that has places for sync jobs and others for async ones, and cannot know which will come."""

from __future__ import annotations

import math

SPARE = 32
"""Jobs of one kind that may wait while all its places are taken, so that a worker of both kinds still gets the other."""
FIRST_REST, LONGEST_REST = 0.1, 0.5
"""Seconds for which a pool that has given back what waited for a place takes nothing that would wait: others may have places."""
FORGET = 60.0
"""Seconds after which a kind that does not come any more counts no longer."""


class Mix:
    """Remembers which kinds of jobs come."""

    def __init__(self) -> None:
        self.sync_came = -math.inf
        """When the last sync job came; set by the pool."""
        self.async_came = -math.inf
        self._resting_until = -math.inf
        self._rest = FIRST_REST

    def rest(self, now: float) -> float:
        """What waited for a place has been given back: keep none that would have to wait, for as many seconds as this gives."""
        pause, self._rest = self._rest, min(2 * self._rest, LONGEST_REST)
        self._resting_until = now + pause
        return pause

    def go_on(self) -> None:
        """A place has become free."""
        self._rest = FIRST_REST

    def room(self, now: float, *, sync: int, waiting: int, aside: int, async_waiting: int) -> int:
        """How many jobs of any kind to take, for `sync` and `aside` free places and what waits for them already."""
        if now - self.async_came > FORGET:
            return sync
        if now - self.sync_came > FORGET:
            return aside
        spare = SPARE if now >= self._resting_until else 0
        return min(max(sync, spare - waiting), max(aside, spare - async_waiting))
