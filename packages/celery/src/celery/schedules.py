"""Schedules, with Celery's names and signatures."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any

from umbel import schedules
from umbel.errors import ScheduleError
from umbel.schedules import schedstate as schedstate
from umbel.schedules.fields import Field, numbers
from umbel.schedules.fields import read as read_field
from umbel.schedules.schedule import Schedule


class ParseException(Exception):
    """A field of a crontab that cannot be read."""


class BaseSchedule(schedules.BaseSchedule):
    """For schedules of your own."""

    kind = "celery:BaseSchedule"

    def __init__(self, nowfun: Any = None, app: Any = None, *, timezone: Any = None):
        super().__init__(nowfun, app, timezone=timezone)

    @property
    def tz(self) -> tzinfo:
        """The zone that counts."""
        return self.__dict__.get("_tz") or super().tz

    @tz.setter
    def tz(self, zone: tzinfo) -> None:
        self.__dict__["_tz"] = zone

    @property
    def utc_enabled(self) -> bool:
        """True if times without a zone are UTC."""
        return bool(getattr(getattr(self.app, "conf", None), "enable_utc", True))

    def to_local(self, dt: datetime) -> datetime:
        """The moment in its zone."""
        return self.maybe_make_aware(dt)

    def maybe_make_aware(self, dt: datetime, naive_as_utc: bool = True) -> datetime:
        """The moment in its zone; without a zone it counts as UTC, or as one of that zone."""
        if dt.tzinfo is None and not naive_as_utc:
            return dt.replace(tzinfo=self.tz)
        return super().maybe_make_aware(dt)


class schedule(schedules.schedule, BaseSchedule):  # noqa: N801 - Celery's name
    """Due every so often."""

    kind = "schedule"

    def __init__(
        self, run_every: Any = None, relative: bool = False, nowfun: Any = None, app: Any = None, *, timezone: Any = None
    ):
        schedules.schedule.__init__(self, run_every, relative, nowfun, app, timezone=timezone)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the first firing after that."""
        return Schedule.remaining_estimate(self, last_run_at)

    now = Schedule.now


class crontab(schedules.crontab, BaseSchedule):  # noqa: N801 - Celery's name
    """Due at the minutes that all five fields admit."""

    kind = "crontab"

    def __init__(
        self,
        minute: Any = "*",
        hour: Any = "*",
        day_of_week: Any = "*",
        day_of_month: Any = "*",
        month_of_year: Any = "*",
        **kwargs: Any,
    ):
        schedules.crontab.__init__(self, minute, hour, day_of_week, day_of_month, month_of_year, **kwargs)

    def remaining_estimate(self, last_run_at: datetime, ffwd: Any = None) -> timedelta:
        """How long until the first firing after that."""
        return Schedule.remaining_estimate(self, last_run_at)

    now = Schedule.now

    @classmethod
    def from_string(cls, crontab: str) -> Any:
        """The schedule of a crontab file's line."""
        return super().from_string(crontab)


class solar(schedules.solar, BaseSchedule):  # noqa: N801 - Celery's name
    """Due at events of the sun."""

    kind = "solar"
    max_search_days = 366

    def __init__(self, event: str, lat: float, lon: float, **kwargs: Any):
        schedules.solar.__init__(self, event, lat, lon, **kwargs)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the first firing after that."""
        return Schedule.remaining_estimate(self, last_run_at)

    now = Schedule.now


class crontab_parser:  # noqa: N801 - Celery's name
    """Reads one field of a crontab: `crontab_parser(24).parse("*/6")` gives {0, 6, 12, 18}."""

    ParseException = ParseException

    def __init__(self, max_: int = 60, min_: int = 0):
        self.max_ = max_
        self.min_ = min_

    def parse(self, spec: str) -> set[int]:
        """The numbers that the text names."""
        try:
            return set(numbers(read_field(Field("crontab", self.min_, self.max_ + self.min_ - 1), spec)))
        except ScheduleError as problem:
            raise self.ParseException(str(problem)) from problem


def maybe_schedule(s: Any, relative: bool = False, app: Any = None) -> Any:
    """A schedule from seconds or a timedelta; anything else as it is."""
    if isinstance(s, (int, float)):
        s = timedelta(seconds=s)
    if isinstance(s, timedelta):
        return schedule(s, relative, app=app)
    if s is not None:
        s.app = app
    return s


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
