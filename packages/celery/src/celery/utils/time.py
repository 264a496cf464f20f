"""Times and spans."""

from __future__ import annotations

import calendar
import random
import time as _time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from umbel.schedules.zone import local_zone

C_REMDEBUG = False
WEEKDAYS = dict(zip(("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"), range(7), strict=True))
RATE_MODIFIER_MAP: dict[str, Callable[[float], float]] = {
    "s": lambda n: n,
    "m": lambda n: n / 60.0,
    "h": lambda n: n / 3600.0,
}
TIME_UNITS = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))
_ZERO = timedelta(0)


class LocalTimezone(tzinfo):
    """The zone of this machine."""

    def utcoffset(self, dt: datetime | None) -> Any:
        """How far it is from UTC."""
        return self._local(dt).utcoffset()

    def dst(self, dt: datetime | None) -> Any:
        """How far the clock is put forward."""
        return timedelta(hours=1) if self._tuple(dt).tm_isdst > 0 else _ZERO

    def tzname(self, dt: datetime | None) -> str:
        """Its short name."""
        return _time.tzname[self._tuple(dt).tm_isdst > 0]

    def fromutc(self, dt: datetime) -> datetime:
        """The local time of a moment in UTC."""
        return dt.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)

    @staticmethod
    def _tuple(dt: datetime | None) -> _time.struct_time:
        naive = (dt or datetime.now()).replace(tzinfo=None)  # noqa: DTZ005 - the wall clock is wanted
        return _time.localtime(_time.mktime(naive.timetuple()))

    @staticmethod
    def _local(dt: datetime | None) -> datetime:
        return (dt or datetime.now()).replace(tzinfo=None).astimezone()  # noqa: DTZ005 - as above


class _Zone:
    """Finds zones."""

    @property
    def local(self) -> tzinfo:
        """That of this machine."""
        return local_zone()

    @property
    def utc(self) -> tzinfo:
        """UTC."""
        return UTC

    def get_timezone(self, zone: Any) -> tzinfo:
        """The zone of that name."""
        if isinstance(zone, str):
            return UTC if zone == "UTC" else ZoneInfo(zone)
        return zone  # type: ignore[no-any-return]  # it is one

    def tz_or_local(self, tzinfo: Any = None) -> Any:
        """The zone, else that of this machine."""
        return self.local if tzinfo is None else self.get_timezone(tzinfo)

    def to_local(self, dt: datetime, local: Any = None, orig: Any = None) -> datetime:
        """The moment by the clock of this machine."""
        return localize(make_aware(dt, orig or UTC) if is_naive(dt) else dt, self.tz_or_local(local))


timezone = _Zone()


def maybe_timedelta(delta: Any) -> Any:
    """Seconds as a timedelta; anything else as it is."""
    return timedelta(seconds=delta) if isinstance(delta, (int, float)) else delta


def delta_resolution(dt: datetime, delta: timedelta) -> datetime:
    """The time rounded down to the largest unit that the span has."""
    seconds = max(delta.total_seconds(), 0)
    keep = 3 if seconds >= 86_400 else 4 if seconds >= 3_600 else 5 if seconds >= 60 else 0
    return datetime(*dt.timetuple()[:keep], tzinfo=dt.tzinfo) if keep else dt  # type: ignore[misc, arg-type]  # year, month, day


def remaining(
    start: datetime, ends_in: timedelta, now: Callable[[], datetime] | None = None, relative: bool = False
) -> timedelta:
    """How long until `ends_in` after `start`."""
    moment = now or datetime.now(UTC)
    moment = moment() if callable(moment) else moment
    end = start + ends_in
    if relative:
        end = delta_resolution(end, ends_in).replace(microsecond=0)
    return end - moment


def rate(r: Any) -> float:
    """A rate such as `10/m`, in calls a second."""
    if not r:
        return 0
    if isinstance(r, str):
        ops, _, modifier = r.partition("/")
        return RATE_MODIFIER_MAP[modifier or "s"](float(ops)) or 0
    return float(r or 0)


def weekday(name: str) -> int:
    """The number of a day of the week; 0 is Sunday."""
    short = name[:3].lower()
    for day, number in WEEKDAYS.items():
        if day.startswith(short) and len(short) == 3:
            return number
    raise KeyError(name)


def humanize_seconds(secs: float, prefix: str = "", sep: str = "", now: str = "now", microseconds: bool = False) -> str:
    """A span for people: `2.00 minutes`."""
    secs = float(f"{float(secs):.2f}")
    for unit, size in TIME_UNITS:
        if secs >= size:
            count = secs / size
            return f"{prefix}{sep}{count:.2f} {unit}{'' if count == 1 else 's'}"
    if microseconds and secs > 0:
        return f"{prefix}{sep}{secs:.2f} seconds"
    return now


def maybe_iso8601(dt: Any) -> Any:
    """A time from ISO 8601; anything else as it is."""
    if not dt:
        return None
    return dt if isinstance(dt, datetime) else datetime.fromisoformat(dt)


def is_naive(dt: datetime) -> bool:
    """True if it has no zone."""
    return dt.tzinfo is None or dt.tzinfo.utcoffset(dt) is None


def make_aware(dt: datetime, tz: tzinfo) -> datetime:
    """The time as one of that zone."""
    return dt.replace(tzinfo=tz)


def localize(dt: datetime, tz: tzinfo) -> datetime:
    """The moment by the clock of that zone."""
    return dt.astimezone(tz)


def to_utc(dt: datetime) -> datetime:
    """The moment in UTC; a time without a zone counts as UTC."""
    return make_aware(dt, UTC) if is_naive(dt) else localize(dt, UTC)


def maybe_make_aware(dt: datetime, tz: Any = None, naive_as_utc: bool = True) -> datetime:
    """The moment in a zone; a time without one counts as UTC, or as one of that zone."""
    if is_naive(dt) and naive_as_utc:
        dt = to_utc(dt)
    zone = UTC if tz is None else timezone.get_timezone(tz)
    return make_aware(dt, zone) if is_naive(dt) else localize(dt, zone)


class ffwd:  # noqa: N801 - Celery's name
    """A step to another time, as dateutil's relativedelta has it."""

    def __init__(
        self,
        year: int | None = None,
        month: int | None = None,
        weeks: int = 0,
        weekday: int | None = None,
        day: int | None = None,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        microsecond: int | None = None,
        **kwargs: Any,
    ):
        self.year, self.month, self.weeks, self.weekday, self.day = year, month, weeks, weekday, day
        self.hour, self.minute, self.second, self.microsecond = hour, minute, second, microsecond
        self.days = weeks * 7
        self._has_time = self.hour is not None or self.minute is not None

    def __repr__(self) -> str:
        return f"ffwd({vars(self)!r})"

    def _fields(self, **extra: Any) -> dict[str, Any]:
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {name: value for name in names if (value := getattr(self, name)) is not None} | extra

    def __radd__(self, other: Any) -> Any:
        if not hasattr(other, "replace"):
            return NotImplemented
        year, month = self.year or other.year, self.month or other.month
        day = min(calendar.monthrange(year, month)[1], self.day or other.day)
        moved = other.replace(**self._fields(day=day))
        if self.weekday is not None:
            moved += timedelta(days=(7 - moved.weekday() + self.weekday) % 7)
        return moved + timedelta(days=self.days)


def utcoffset(time: Any = _time, localtime: Callable[..., Any] = _time.localtime) -> int:
    """How many hours this machine's clock is behind UTC."""
    seconds = time.altzone if localtime().tm_isdst else time.timezone
    return int(seconds // 3600)


def adjust_timestamp(ts: float, offset: float, here: Callable[..., float] = utcoffset) -> float:
    """A time stamp of a machine with that offset, by this machine's clock."""
    return ts - (offset - here()) * 3600


def get_exponential_backoff_interval(factor: int, retries: int, maximum: int, full_jitter: bool = False) -> int:
    """Seconds before a retry: doubled with each one, up to a bound; drawn at random with `full_jitter`."""
    countdown = min(maximum, factor * 2**retries)
    if full_jitter:
        countdown = random.randrange(countdown + 1)
    return max(0, countdown)


def subtract_datetimes(end: datetime, start: datetime) -> timedelta:
    """The span in real time, whatever the clocks did."""
    return end.astimezone(UTC) - start.astimezone(UTC) if end.tzinfo and start.tzinfo else end - start


def add_seconds_to_datetime(dt: datetime, seconds: float) -> datetime:
    """So much later in real time, whatever the clocks do."""
    if dt.tzinfo is None:
        return dt + timedelta(seconds=seconds)
    return (dt.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(dt.tzinfo)
