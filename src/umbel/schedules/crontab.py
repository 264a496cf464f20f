"""Schedules by calendar: minute, hour, day of week, day of month, month."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, tzinfo
from typing import Any, Self

from umbel.errors import ScheduleError
from umbel.schedules import fields
from umbel.schedules.fields import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH_OF_YEAR, Words
from umbel.schedules.schedule import HasZone, Schedule, remade
from umbel.schedules.telling import in_words
from umbel.schedules.zone import DAY, stretches

_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EPOCH = date(1970, 1, 1).toordinal()
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WEEKS = sum(1 << 7 * week for week in range(6))  # times a week's seven bits: six weeks of them
_YEARS = 41  # a date that is possible at all, on each day of the week, comes within 40 years: 29 February around 2100


class crontab(Schedule):  # noqa: N801  Celery's name
    """Due at each minute that all five fields admit, by the clock on the wall of its time zone.

    When the clock changes:

    1. Gap (it jumps forward): a named time within the gap fires at the first moment behind it, several of them once.
    2. Fold (it goes back): a named time that comes twice fires at its first coming.
    3. With every hour admitted it is a rhythm, not a time of day: it fires at each matching minute that the clock shows,
       in both comings of a repeated hour; a gap holds nothing to make up for.

    Every other hour (`*/2`) names twelve times of day: each comes once a day.

    `crontab("0 4 * * mon")` and `crontab("@daily")` take the line of a crontab file instead: minute, hour, day of month, month,
    day of week. If both days are restricted, both must match, as in Celery; with `either_day` one of them is enough, as in cron.
    """

    kind = "crontab"
    __slots__ = (
        *("_days", "_hours", "_minutes", "_months", "_weekdays", "either_day"),
        *("_orig_day_of_month", "_orig_day_of_week", "_orig_hour", "_orig_minute", "_orig_month_of_year"),
    )

    def __init__(
        self,
        minute: Words = "*",
        hour: Words = "*",
        day_of_week: Words = "*",
        day_of_month: Words = "*",
        month_of_year: Words = "*",
        nowfun: Callable[[], datetime] | None = None,
        app: HasZone | None = None,
        *,
        timezone: str | tzinfo | None = None,
        either_day: bool = False,
    ):
        super().__init__(nowfun, app, timezone=timezone)
        if isinstance(minute, str) and (line := _parts(minute)) is not None:
            if any(words != "*" for words in (hour, day_of_week, day_of_month, month_of_year)):
                raise ScheduleError(f"crontab line {minute!r}: it has all five fields, so no other field can be given")
            minute, hour, day_of_month, month_of_year, day_of_week = line
        # Tools around Celery read the fields as given by these names.
        self._orig_minute = minute = _kept(minute)
        self._orig_hour = hour = _kept(hour)
        self._orig_day_of_week = day_of_week = _kept(day_of_week)
        self._orig_day_of_month = day_of_month = _kept(day_of_month)
        self._orig_month_of_year = month_of_year = _kept(month_of_year)
        self._minutes = fields.read(MINUTE, minute)
        self._hours = fields.read(HOUR, hour)
        self._weekdays = fields.read(DAY_OF_WEEK, day_of_week)
        self._days = fields.read(DAY_OF_MONTH, day_of_month)
        self._months = fields.read(MONTH_OF_YEAR, month_of_year)
        self.either_day = either_day
        if not self._occurs():
            raise ScheduleError(
                f"crontab field day_of_month = {day_of_month!r}: month_of_year = {month_of_year!r} has no such day; "
                f"it would never run"
            )

    @classmethod
    def from_string(cls, crontab: str, **kwargs: Any) -> Self:
        """The schedule of a crontab file's line: minute, hour, day of month, month, day of week; or `@daily` and its like."""
        line = _parts(crontab)
        if line is None:
            raise ScheduleError(f"crontab line {crontab!r}: it needs five fields: minute, hour, day of month, month, day of week")
        minute, hour, day_of_month, month_of_year, day_of_week = line
        return cls(minute, hour, day_of_week, day_of_month, month_of_year, **kwargs)

    def next(self, after: float, zone: tzinfo) -> float | None:
        """The first moment strictly after `after` at which it fires, by the rule of the class."""
        rhythm = self._hours == HOUR.all
        for stretch in stretches(self.timezone or zone, after):
            # A rhythm goes by what the clock shows in this stretch. Times of day are sought from where the clock had come to
            # before: behind a fold that leaves out what comes twice, behind a gap it adds what the gap has swallowed.
            wall = stretch.start + stretch.offset if rhythm else stretch.reached
            if after >= stretch.start:
                wall = max(wall, int((after + stretch.offset) // 60) * 60 + 60)
            found = self._first(wall)
            if found is None:
                return None
            if found < stretch.end + stretch.offset:
                return float(max(stretch.start, found - stretch.offset))
        return None

    def _horizon(self, now: float) -> float:
        deadline = getattr(getattr(self.app, "conf", None), "beat_cron_starting_deadline", None)
        return super()._horizon(now) if deadline is None else now - float(deadline)

    def _first(self, wall: int) -> int | None:
        """The first wall time that matches, at or after `wall`."""
        day, second = divmod(wall, DAY)
        today = self._day(day)
        if today is None:
            return None
        minute = self._minute(-(-second // 60)) if today == day else self._minute(0)
        if minute is None:
            today, minute = self._day(day + 1), self._minute(0)
        return None if today is None or minute is None else today * DAY + minute * 60

    def _minute(self, minute: int) -> int | None:
        """The first minute of the day that matches, at or after `minute`."""
        hour, minute = divmod(minute, 60)
        if self._hours >> hour & 1 and (minutes := self._minutes >> minute):
            return hour * 60 + minute + fields.lowest(minutes)
        if hours := self._hours >> hour + 1:
            return (hour + 1 + fields.lowest(hours)) * 60 + fields.lowest(self._minutes)
        return None

    def _day(self, day: int) -> int | None:
        """The first day that matches, at or after `day` (days since 1970-01-01); None beyond the calendar."""
        start = date.fromordinal(min(day + _EPOCH, date.max.toordinal()))
        year, month, first = start.year, start.month, start.day
        last = min(year + _YEARS, date.max.year)
        while year <= last:
            if self._months >> month & 1 and (days := self._days_of(year, month) >> first):
                return date(year, month, first + fields.lowest(days)).toordinal() - _EPOCH
            first = 1
            month += 1
            if month > 12:
                year, month = year + 1, 1
        return None

    def _days_of(self, year: int, month: int) -> int:
        """The days of a month that match."""
        leap = month == 2 and not year % 4 and (year % 100 != 0 or not year % 400)
        all_days = (2 << _LENGTHS[month] + leap) - 2
        if self._weekdays == DAY_OF_WEEK.all:
            return self._days & all_days
        on_weekdays = self._weekdays * _WEEKS >> date(year, month, 1).isoweekday() % 7 << 1
        if self.either_day and self._days != DAY_OF_MONTH.all:
            return (self._days | on_weekdays) & all_days
        return self._days & on_weekdays & all_days

    def _occurs(self) -> bool:
        """False if its days of the month come in none of its months."""
        if self.either_day and self._weekdays != DAY_OF_WEEK.all:
            return True
        longest = max(29 if month == 2 else _LENGTHS[month] for month in fields.numbers(self._months))
        return fields.lowest(self._days) <= longest

    # Celery's words

    @property
    def minute(self) -> set[int]:
        """The minutes that match."""
        return set(fields.numbers(self._minutes))

    @property
    def hour(self) -> set[int]:
        """The hours that match."""
        return set(fields.numbers(self._hours))

    @property
    def day_of_week(self) -> set[int]:
        """The days of the week that match; 0 is Sunday."""
        return set(fields.numbers(self._weekdays))

    @property
    def day_of_month(self) -> set[int]:
        """The days of the month that match."""
        return set(fields.numbers(self._days))

    @property
    def month_of_year(self) -> set[int]:
        """The months that match."""
        return set(fields.numbers(self._months))

    def __repr__(self) -> str:
        return f"<crontab: {self.line()} (m/h/dM/MY/d)>"

    def __str__(self) -> str:
        return in_words(self._minutes, self._hours, self._weekdays, self._days, self._months, either_day=self.either_day)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, crontab) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        words = (self._orig_minute, self._orig_hour, self._orig_day_of_week, self._orig_day_of_month, self._orig_month_of_year)
        options = {"timezone": self.timezone, "either_day": self.either_day}
        return remade, (type(self), words, {name: value for name, value in options.items() if value})

    def line(self) -> str:
        """Its fields as a line of a crontab file."""
        words = (self._orig_minute, self._orig_hour, self._orig_day_of_month, self._orig_month_of_year, self._orig_day_of_week)
        return " ".join(fields.write(word) for word in words)

    def _key(self) -> tuple[object, ...]:
        days = (self._days, self._weekdays, self.either_day)
        return (self._minutes, self._hours, self._months, days, self.timezone)


def _kept(words: Words) -> Words:
    """The words as they can be read twice."""
    return tuple(words) if isinstance(words, Iterable) and not isinstance(words, (str, bytes)) else words


def _parts(text: str) -> list[str] | None:
    """The five fields of a crontab's line; None if the text is a single field. ScheduleError if it is neither."""
    if text.strip().startswith("@"):
        if (line := _WORDS.get(text.strip().lower())) is None:
            raise ScheduleError(f"crontab line {text!r}: the words are {', '.join(_WORDS)}")
        return line.split()
    parts = re.sub(r"\s*,\s*", ",", text).split()
    if len(parts) > 1 and len(parts) != 5:
        raise ScheduleError(
            f"crontab line {text!r} has {len(parts)} fields; it needs five: minute, hour, day of month, month, day of week"
        )
    return parts if len(parts) == 5 else None
