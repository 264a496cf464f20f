"""Crontabs against the rule for clock changes, as it is written in docs/internals/schedules.md, looked up minute by minute.

UMBEL_ALL_ZONES=1 takes every zone and every change from 2000 to 2040 (about ten minutes) instead of a sample.
"""

from __future__ import annotations

import os
import random
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest

from umbel.schedules import crontab

ALL = bool(os.environ.get("UMBEL_ALL_ZONES"))
SEED = int(os.environ.get("UMBEL_SEED", "0")) or random.randrange(1, 1 << 32)
ODD = {  # changes by 30 min and 2 h, at midnight, in Ramadan, of a whole day, without summer time, for good
    *("Australia/Lord_Howe", "Antarctica/Troll", "Antarctica/Casey", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Pyongyang"),
    *("Pacific/Apia", "Pacific/Fakaofo", "Asia/Gaza", "Asia/Kathmandu", "America/Caracas", "Europe/Berlin", "America/New_York"),
    *("America/Scoresbysund", "Asia/Tehran", "Africa/Cairo", "Pacific/Chatham", "Europe/Dublin", "America/Nuuk", "Asia/Amman"),
}
HOUR = 3600
EVERY = frozenset(range(60)), frozenset(range(24)), frozenset(range(32)), frozenset(range(13)), frozenset(range(7))


class Form(NamedTuple):
    """The numbers that each field admits."""

    minutes: frozenset[int] = EVERY[0]
    hours: frozenset[int] = EVERY[1]
    days: frozenset[int] = EVERY[2]
    months: frozenset[int] = EVERY[3]
    weekdays: frozenset[int] = EVERY[4]

    def admits(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.day in self.days
            and wall.month in self.months
            and wall.isoweekday() % 7 in self.weekdays
        )

    def crontab(self) -> crontab:
        return crontab(self.minutes, self.hours, self.weekdays, self.days - {0}, self.months - {0})


def of(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


def forms(wall: datetime, choice: random.Random) -> Iterator[Form]:
    """Rhythms and times of day around a clock change at that wall time."""
    near = of(*((wall.hour + hour) % 24 for hour in (-1, 0, 1)))
    today, week = of(wall.day), of(wall.isoweekday() % 7)
    yield Form()
    yield Form(of(0, 15, 30, 45))
    yield Form(of(choice.randrange(60)), weekdays=week)
    yield Form(of(7, 30, 59), days=today)
    yield Form(of(30), of(wall.hour))
    yield Form(of(0), of(wall.hour))
    yield Form(of(0, 59), of((wall.hour - 1) % 24))
    yield Form(of(15, 45), near, weekdays=week)
    yield Form(of(0), of(0, 23))
    yield Form(of(0, 30), frozenset(range(0, 24, 2)))
    yield Form(hours=frozenset(range(24)) - {choice.randrange(24)})
    yield Form(of(5), of(4), days=today, months=of(wall.month))
    yield Form(of(*choice.sample(range(60), 3)), near | {choice.randrange(24)}, today | {choice.randrange(1, 29)})


def changes(zone: tzinfo, first: datetime, last: datetime, step: int) -> Iterator[int]:
    """The moments at which the zone's offset changes, looked for every `step` seconds."""

    def offset(moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, zone).utcoffset()

    moment, end = int(first.timestamp()), int(last.timestamp())
    before = offset(moment)
    while moment < end:
        if offset(moment + step) == before:
            moment += step
            continue
        low, high = moment, moment + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == before else (low, middle)
        yield high
        moment, before = high, offset(high)


def minutes_around(zone: tzinfo, change: int) -> list[int]:
    """The change, and each full minute of the clock within 27 hours of it: no clock was ever moved further."""
    before, after = (datetime.fromtimestamp(moment, zone).second for moment in (change - 60, change + 60))
    return [*range(change - 27 * HOUR - before, change, 60), change, *range(change + 60 - after, change + 27 * HOUR, 60)]


def deviations(zone: tzinfo, change: int, choice: random.Random) -> list[str]:
    """Where `next` and the rule differ around the change."""
    moments = sorted(set(minutes_around(zone, change)))
    clock = [datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0) for moment in moments]
    shown: dict[datetime, list[int]] = {}
    for moment, wall in zip(moments, clock, strict=True):
        if not wall.second:
            shown.setdefault(wall, []).append(moment)
    wall = min(clock).replace(second=0)
    walls = []
    while (wall := wall + timedelta(minutes=1)) < clock[-1]:
        walls.append((wall, shown.get(wall, [])))
    behind: dict[datetime, int] = {}  # of a wall time that is never shown: the first moment behind the gap
    for wall, when in walls:
        if not when and wall > clock[0]:
            behind[wall] = next(moment for moment, later in zip(moments, clock, strict=True) if later > wall)
    found = []
    start = moments[0] + HOUR
    for form in forms(datetime.fromtimestamp(change, zone), choice):
        expected = set()
        for wall, when in walls:
            if not form.admits(wall):
                continue
            if form.hours == EVERY[1]:
                expected.update(when)
            elif when:
                expected.add(when[0])
            elif wall in behind:
                expected.add(behind[wall])
        due = sorted(moment for moment in expected if moment > start)
        schedule = form.crontab()
        got, moment = [], schedule.next(start, zone)
        while moment is not None and moment < moments[-1]:
            got.append(moment)
            moment = schedule.next(moment, zone)
        if got != due:
            found.append(f"{zone} {change} {schedule!r}: {sorted(set(got) ^ set(due))[:4]}")
        for _ in range(5):
            after = choice.uniform(start, moments[-1])
            place = bisect_right(due, after)
            if place < len(due) and schedule.next(after, zone) != due[place]:
                found.append(f"{zone} {change} {schedule!r} after {after}: {schedule.next(after, zone)}, not {due[place]}")
    return found


def test_no_firing_deviates_from_the_rule_in_any_zone():
    choice = random.Random(SEED)
    names = sorted(available_timezones() - {"localtime"})
    assert len(names) > 400
    first, last = datetime(2000, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
    seen, found, count = set(), [], 0
    for name in names if ALL else sorted({*ODD & set(names), *choice.sample(names, 8)}):
        zone = ZoneInfo(name)
        when = list(changes(zone, first, last, HOUR if ALL else 24 * HOUR))
        signature = (datetime.fromtimestamp(first.timestamp(), zone).utcoffset(), *when)
        if signature in seen:  # another name for the same
            continue
        seen.add(signature)
        for change in when if ALL else choice.sample(when, min(4, len(when))):
            found += deviations(zone, change, random.Random(zlib.crc32(f"{name} {change} {SEED}".encode())))
            count += 1
    print(f"{len(seen)} zones, {count} changes, seed {SEED}, {len(found)} deviations")
    assert found == [], f"seed {SEED}"
    assert count > 50


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # the 30th never was
        ("Asia/Manila", datetime(1844, 12, 31, 0, 4, tzinfo=UTC)),  # a lost day, with an offset in seconds
        ("America/Juneau", datetime(1867, 10, 18, tzinfo=UTC)),  # a day that came twice
        ("Africa/Monrovia", datetime(1972, 1, 7, tzinfo=UTC)),  # by 44 min 30 s
        ("Europe/Amsterdam", datetime(1937, 7, 1, tzinfo=UTC)),  # by 28 s
    ],
)
def test_lost_and_double_days_and_offsets_with_seconds_follow_the_rule(name, change):
    zone = ZoneInfo(name)
    near = list(changes(zone, change - timedelta(days=2), change + timedelta(days=2), HOUR))
    if not near:
        pytest.skip(f"this system's {name} begins later")
    assert [line for moment in near for line in deviations(zone, moment, random.Random(SEED))] == []


BERLIN = ZoneInfo("Europe/Berlin")


def firings(schedule: crontab, day: str) -> list[str]:
    """When it fires on that day in Berlin."""
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    end = (start + timedelta(days=1)).timestamp()
    found, moment = [], schedule.next(start.timestamp() - 1, BERLIN)
    while moment is not None and moment < end:
        found.append(datetime.fromtimestamp(moment, BERLIN).strftime("%H:%M%z")[:-2])
        moment = schedule.next(moment, BERLIN)
    return found


def test_a_time_within_a_gap_fires_once_behind_it():
    assert firings(crontab("30 2 * * *"), "2026-03-29") == ["03:00+02"]
    assert firings(crontab("0,15,30,45 2 * * *"), "2026-03-29") == ["03:00+02"]
    assert firings(crontab("30 2,3 * * *"), "2026-03-29") == ["03:00+02", "03:30+02"]


def test_a_time_within_a_gap_and_one_right_behind_it_fire_together():
    assert firings(crontab("0 2,3 * * *"), "2026-03-29") == ["03:00+02"]


def test_a_time_that_comes_twice_fires_at_its_first_coming():
    assert firings(crontab("30 2 * * *"), "2026-10-25") == ["02:30+02"]
    assert firings(crontab("30 */2 * * *"), "2026-10-25")[:3] == ["00:30+02", "02:30+02", "04:30+01"]


def test_a_rhythm_goes_on_through_a_repeated_hour_and_makes_nothing_up():
    assert firings(crontab("*/30 * * * *"), "2026-10-25")[4:8] == ["02:00+02", "02:30+02", "02:00+01", "02:30+01"]
    assert firings(crontab("30 * * * *"), "2026-03-29")[:3] == ["00:30+01", "01:30+01", "03:30+02"]
    assert firings(crontab("30 0-23 * * *"), "2026-03-29")[:3] == ["00:30+01", "01:30+01", "03:30+02"]
