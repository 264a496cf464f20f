"""Schedules that come round every so often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any

from umbel.errors import ScheduleError
from umbel.schedules.schedule import HasZone, Schedule, remade
from umbel.schedules.zone import DAY, first_moment, stretches

_UNITS = ((DAY, "d"), (3600, "h"), (60, "min"), (1, "s"))
_START = {DAY: "at midnight", 3600: "on the hour", 60: "on the minute", 1: "on the second"}


SHORTEST = 0.001
"""Seconds from one run to the next at least: what is asked for more often than that would come later and later."""
LAST = 253_402_214_400.0
"""The last day that dates can say, in seconds since the epoch."""


class schedule(Schedule):  # noqa: N801  Celery's name
    """Due `run_every` after the firing before.

    `relative`: at the start of the day, hour, minute or second that this comes to, whichever is the largest unit that `run_every`
    has: every 2 hours on the hour, every 3 days at midnight of the zone. Days are those of the wall clock, however long; shorter
    units are real time.
    """

    kind = "schedule"
    __slots__ = ("_every", "relative")

    def __init__(
        self,
        run_every: float | timedelta,
        relative: bool = False,
        nowfun: Callable[[], datetime] | None = None,
        app: HasZone | None = None,
        *,
        timezone: str | tzinfo | None = None,
    ):
        super().__init__(nowfun, app, timezone=timezone)
        every: object = run_every.total_seconds() if isinstance(run_every, timedelta) else run_every
        if isinstance(every, bool) or not isinstance(every, (int, float)) or not 0 < every <= timedelta.max.total_seconds():
            raise ScheduleError(f"schedule every {run_every!r}: it takes seconds or a timedelta, more than 0")
        self._every = float(every)
        self.relative = bool(relative)

    def next(self, after: float, zone: tzinfo) -> float | None:
        """`run_every` after `after`; if relative, at the start of the unit that this comes to. None beyond what dates can say."""
        moment = after + max(self._every, SHORTEST)
        if moment > LAST:
            return None
        if not self.relative or (unit := self._unit()) is None:
            return moment
        stretch = next(stretches(self.timezone or zone, after), None)
        if stretch is None:
            return None
        wall = after + stretch.offset
        if unit != DAY:
            return (wall + self._every) // unit * unit - stretch.offset
        # In a fold over midnight the day that counts is the one the clock had come to before: else it would begin twice.
        midnight = (max(wall, stretch.reached) + self._every) // DAY * DAY
        first = first_moment(self.timezone or zone, int(midnight))
        return None if first is None else float(first)

    def _unit(self) -> int | None:
        """The largest unit that fits; None below a second."""
        return next((unit for unit, _ in _UNITS if self._every >= unit), None)

    # Celery's words

    @property
    def run_every(self) -> timedelta:
        """The interval."""
        return timedelta(seconds=self._every)

    @property
    def seconds(self) -> float:
        """The interval in seconds."""
        return self._every

    @property
    def human_seconds(self) -> str:
        """The interval as Celery writes it: `10.00 seconds`."""
        for size, name in ((DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
            if self._every >= size:
                return f"{self._every / size:.2f} {name}{'s' if self._every != size else ''}"
        return "now"

    def __repr__(self) -> str:
        return f"<freq: {self.human_seconds}>"

    def __str__(self) -> str:
        told = []
        rest = self._every
        for size, name in _UNITS[:-1]:
            count, rest = divmod(rest, size)
            told += [f"{count:g} {name}"] * bool(count)
        if rest or not told:
            told.append(f"{round(rest, 6):g} s")
        unit = self._unit()
        return f"every {' '.join(told)}" + (f" {_START[unit]}" if self.relative and unit is not None else "")

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, schedule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        options = {"timezone": self.timezone} if self.timezone is not None else {}
        return remade, (type(self), (self._every, self.relative), options)

    def _key(self) -> tuple[object, ...]:
        return (self._every, self.relative, self.timezone)
