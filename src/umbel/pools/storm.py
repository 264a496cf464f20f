"""When children die faster than they work: how long to wait before the next one, and when to give up. Decides; does no I/O."""

from __future__ import annotations

from collections import deque

PERIOD = 15.0
"""Deaths further apart than this are no storm."""
_FIRST, _LONGEST = 0.05, 0.5  # seconds of back-off: the third death in a row waits, the seventh and all after it longest


class Storm:
    """Counts deaths since the last job that ended."""

    def __init__(self, slots: int):
        self.slots = slots
        self.deaths: deque[float] = deque()
        """When they were."""

    def calm(self) -> None:
        """A job has ended: children work."""
        self.deaths.clear()

    def death(self, now: float) -> float:
        """Count one; gives the seconds to wait before the replacement."""
        self.deaths.append(now)
        while self.deaths[0] < now - PERIOD:
            self.deaths.popleft()
        extra = len(self.deaths) - max(2, self.slots)
        return 0.0 if extra <= 0 else min(_LONGEST, _FIRST * 2 ** (extra - 1))

    @property
    def rages(self) -> bool:
        """True if there is no use in going on."""
        return len(self.deaths) > max(10, 5 * self.slots)

    def __len__(self) -> int:
        return len(self.deaths)
