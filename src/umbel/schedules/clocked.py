"""Schedules that come once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

from umbel.errors import ScheduleError
from umbel.schedules.schedule import HasZone, Schedule, remade
from umbel.schedules.zone import first_moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class clocked(Schedule):  # noqa: N801  as django-celery-beat calls it
    """Due once, at this time: a datetime, or its ISO 8601 text; without a zone, by the wall clock of the schedule's zone."""

    kind = "clocked"
    __slots__ = ("clocked_time",)

    def __init__(
        self,
        clocked_time: datetime | str,
        nowfun: Callable[[], datetime] | None = None,
        app: HasZone | None = None,
        *,
        timezone: str | tzinfo | None = None,
    ):
        super().__init__(nowfun, app, timezone=timezone)
        try:
            self.clocked_time = datetime.fromisoformat(clocked_time) if isinstance(clocked_time, str) else clocked_time
        except ValueError:
            raise ScheduleError(f"clocked {clocked_time!r}: no time in ISO 8601 (try '2030-01-31T08:00:00+01:00')") from None
        if not isinstance(self.clocked_time, datetime):
            raise ScheduleError(f"clocked {clocked_time!r}: it takes a datetime, or its text in ISO 8601")

    def next(self, after: float, zone: tzinfo) -> float | None:
        """Its time, if that is after `after`."""
        if self.clocked_time.tzinfo is not None:
            moment = self.clocked_time.timestamp()
        else:
            wall = (self.clocked_time.replace(tzinfo=UTC) - _EPOCH).total_seconds()
            second = first_moment(self.timezone or zone, int(wall // 1))
            if second is None:
                return None
            moment = second + wall % 1
        return moment if moment > after else None

    def __repr__(self) -> str:
        return f"<clocked: {self.clocked_time}>"

    def __str__(self) -> str:
        return f"once, at {self.clocked_time}"

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, clocked) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        options = {"timezone": self.timezone} if self.timezone is not None else {}
        return remade, (type(self), (self.clocked_time.isoformat(),), options)

    def _key(self) -> tuple[object, ...]:
        return (self.clocked_time, self.timezone)
