"""Rate limits of tasks, as `10/m`: a token bucket that holds one token, per task and worker."""

from __future__ import annotations

from umbel.errors import ImproperlyConfigured

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
    except (ValueError, KeyError):
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise ImproperlyConfigured(f"rate_limit {limit!r} is no rate; write a number a second, or '10/s', '10/m', '10/h'")
    return rate


LINE = 60.0
"""Seconds: who would have to stand in line for longer is looked at again sooner, because others may have left it."""


class Bucket:
    """Lets one run through each 1/rate seconds."""

    __slots__ = ("_interval", "_next", "_turn")

    def __init__(self, rate: float):
        self._interval = 1.0 / rate
        self._next = 0.0
        self._turn = 0.0

    def take(self, now: float) -> float:
        """0.0 if a run may begin now (its token is taken), else the seconds to wait before asking again."""
        if now >= self._next:
            self._next = now + self._interval
            return 0.0
        return self._next - now

    def turn(self, now: float) -> float:
        """Seconds until the turn of one more that has to stand in line; the line is at most `LINE` seconds long."""
        self._turn = max(self._turn, self._next) + self._interval
        if self._turn > now + LINE:
            self._turn = self._next + self._interval
        return self._turn - now


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
