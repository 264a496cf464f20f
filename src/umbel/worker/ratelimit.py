"""Rate limits of tasks, as `10/m`: a token bucket that holds one token, per task and worker."""

from __future__ import annotations

import itertools
from collections import Counter

from umbel.errors import ImproperlyConfigured
from umbel.stores.broker import Delivery
from umbel.wire.brief import brief

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def per_second(limit: float | str | None) -> float:
    """The rate in runs a second that `limit` says (`10`, `"10/s"`, `"10/m"`, `"10/h"`); 0 means: no limit.

    Raises ImproperlyConfigured if it says nothing of the kind.
    """
    if limit is None:
        return 0.0
    try:
        if isinstance(limit, (int, float)):
            rate = float(limit)
        else:
            count, _, unit = limit.partition("/")
            rate = float(count) / UNITS[unit.strip() or "s"]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise ImproperlyConfigured(f"rate_limit {brief(limit)} is no rate; write a number a second, or '10/s', '10/m', '10/h'")
    return rate


LINE = 60.0
"""Seconds: who would have to stand in line for longer is looked at again sooner, because others may have left it."""

ASTRAY = 5.0
"""Seconds after which one that should be back from the store is taken to have gone to another worker."""
Place = tuple[int, int, float, Delivery]
"""In a line: the negative priority, the order of coming, since when, and who."""


class Bucket:
    """Lets one run through each 1/rate seconds: those that wait first, the most urgent of them, then the first that came."""

    def __init__(self, rate: float):
        self.interval = 1.0 / rate
        self.next = 0.0
        """When the next may begin."""
        self._turn = 0.0
        self.line: list[Place] = []
        """A heap of those that wait in this worker."""
        self._orders = itertools.count()
        self.called: Delivery | None = None
        """The one out of the line whose turn it is."""
        self._away: dict[str, tuple[int, int, float]] = {}
        """Those that wait in the store because the line was full, by id: priority, order, and when they are to be back."""
        self._away_by_priority: Counter[int] = Counter()

    def admit(self, delivery: Delivery, now: float) -> float:
        """As `take`, for this delivery: nobody overtakes those in the line."""
        if self.line and delivery is not self.called:
            return max(self.next - now, 1e-3)
        return self.take(now)

    def take(self, now: float) -> float:
        """0.0 if a run may begin now (its token is taken), else the seconds to wait before asking again."""
        if now >= self.next:
            self.next = now + self.interval
            return 0.0
        return self.next - now

    def turn(self, now: float) -> float:
        """Seconds until the turn of one more that has to stand in line; the line is at most `LINE` seconds long."""
        first = self.next + len(self.line) * self.interval
        self._turn = max(self._turn, first) + self.interval
        if self._turn > now + LINE:
            self._turn = first + self.interval
        return max(self._turn - now, 0.0)

    def new_order(self) -> int:
        """The order of one that comes for the first time."""
        return next(self._orders)

    def in_order(self) -> list[Delivery]:
        """Those that wait in this worker, the next first."""
        return [place[-1] for place in sorted(self.line, key=_rank)]

    def send_away(self, place: Place, now: float, *, again: bool = False) -> float:
        """Remember one that goes back to the store; gives the seconds for which it is to stay there.

        One that has stood in line, or was away, before (`again`) comes back half a line before its turn, as those that were sent
        away behind it must not overtake it.
        """
        urgency, order, _, delivery = place
        turn = self._half_a_line_before(urgency, order, now) if again and self.line else self.turn(now)
        self._forget(delivery.envelope.id)  # of two with one id the later counts
        self._away[delivery.envelope.id] = (-urgency, order, now + turn)
        self._away_by_priority[-urgency] += 1
        return turn

    def _half_a_line_before(self, urgency: int, order: int, now: float) -> float:
        """Seconds until shortly before the turn of this one, behind all that are in line."""
        last = max(self.line, key=_rank)
        between = max(order - last[1], 0) if last[0] == urgency else 0
        return min(max(self.next - now, 0.0) + (len(self.line) / 2 + between) * self.interval, LINE)

    def comes_back(self, delivery: Delivery, now: float) -> int | None:
        """The order of one that was sent away; None if it comes for the first time."""
        while self._away and next(iter(self._away.values()))[2] < now - ASTRAY:  # another worker has got it
            self._forget(next(iter(self._away)))
        return self._forget(delivery.envelope.id)

    def has_before(self, priority: int) -> bool:
        """True if some are away that come before a new one of this priority."""
        return any(count and other >= priority for other, count in self._away_by_priority.items())

    def away_for(self, now: float) -> float:
        """Seconds until all are back that wait in the store; 0.0 if none do."""
        return max((back - now for _, _, back in self._away.values()), default=0.0)

    def _forget(self, id: str) -> int | None:
        priority, order, _ = self._away.pop(id, (0, None, 0.0))
        if order is not None:
            self._away_by_priority[priority] -= 1
        return order


def _rank(place: Place) -> tuple[int, int]:
    return place[:2]


class RateLimits:
    """The buckets of one worker's tasks. Belongs to the event loop's thread."""

    def __init__(self, *, default: float | str | None = None, disabled: bool = False):
        self._default = default
        self._disabled = disabled
        self.buckets: dict[str, Bucket] = {}
        """By task; those that are not here have no limit."""

    def set(self, task: str, limit: float | str | None) -> None:
        """Begin anew with this limit (None: the default one). Raises ImproperlyConfigured."""
        rate = 0.0 if self._disabled else per_second(self._default if limit is None else limit)
        self.buckets.pop(task, None)
        if rate:
            self.buckets[task] = Bucket(rate)
