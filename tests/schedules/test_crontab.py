"""What a crontab takes, refuses, tells and remembers; when it fires stands in test_zone_rule.py and test_celery.py."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from umbel.errors import ScheduleError
from umbel.schedules import crontab, from_data

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(schedule: crontab, count: int, start: datetime = START) -> list[str]:
    """The first days on which it fires."""
    found, moment = [], start.timestamp()
    for _ in range(count):
        due = schedule.next(moment, UTC)
        assert due is not None
        moment = due
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d"))
    return found


def test_the_order_of_positional_fields_is_celerys():
    schedule = crontab(5, 4, "mon", 3, "feb")
    assert (schedule.minute, schedule.hour, schedule.day_of_week) == ({5}, {4}, {1})
    assert (schedule.day_of_month, schedule.month_of_year) == ({3}, {2})


@pytest.mark.parametrize(
    ("field", "words", "numbers"),
    [
        ("minute", "*/15", {0, 15, 30, 45}),
        ("minute", "50/3", {50, 53, 56, 59}),
        ("minute", [0, "10-12"], {0, 10, 11, 12}),
        ("minute", " 1 , 2 ", {1, 2}),
        ("minute", "*/70", {0}),
        ("hour", "22-3", {22, 23, 0, 1, 2, 3}),
        ("hour", "22-3/2", {22, 0, 2}),
        ("day_of_week", "fri-mon", {5, 6, 0, 1}),
        ("day_of_week", "Thurs,TUES", {2, 4}),
        ("day_of_week", "7", {0}),
        ("day_of_week", 7, {0}),
        ("day_of_week", "5-7", {5, 6, 0}),
        ("day_of_week", "0-7", set(range(7))),
        ("day_of_week", "7-2", {0, 1, 2}),
        ("day_of_month", "*/10", {1, 11, 21, 31}),
        ("day_of_month", "30-2", {30, 31, 1, 2}),
        ("month_of_year", "nov-february", {11, 12, 1, 2}),
    ],
)
def test_a_field_admits_these(field, words, numbers):
    assert getattr(crontab(**{field: words}), field) == numbers


@pytest.mark.parametrize(
    ("field", "words", "told"),
    [
        ("hour", "24", "crontab field hour = '24': 24 is not in 0-23; allowed are numbers 0-23, as *, a, a-b, */n, a-b/n, a/n"),
        ("minute", 60, "60 is not in 0-59"),
        ("minute", -1, "'-1' cannot be read"),
        ("minute", "1,,2", "a part is empty"),
        ("minute", "*/0", "a step of 0 leads nowhere"),
        ("minute", "mon", "'mon' is no name here"),
        ("minute", "1-5-7", "'1-5-7' cannot be read"),
        ("minute", [], "names nothing, so it would never run"),
        ("minute", 1.5, "float is not a number, text or list"),
        ("minute", b"5", "bytes is not a number, text or list"),
        ("minute", None, "NoneType is not a number, text or list"),
        ("minute", [1.5], "float is neither number nor text"),
        ("day_of_week", "janx", "'janx' is no name here; allowed are numbers 0-7 or sun-sat"),
        ("day_of_week", "mo", "'mo' is no name here"),
        ("day_of_week", "mon/2", "a step after a name needs a range"),
        ("month_of_year", "0", "0 is not in 1-12; allowed are numbers 1-12 or jan-dec"),
        ("minute", "0 4 * *", "has 4 fields; it needs five: minute, hour, day of month, month, day of week"),
        ("minute", "@dayly", "the words are @hourly, @daily"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_is_allowed(field, words, told):
    with pytest.raises(ScheduleError) as raised:
        crontab(**{field: words})
    assert told in str(raised.value)
    assert isinstance(raised.value, ValueError)


def test_a_day_that_no_month_has_is_refused():
    with pytest.raises(ScheduleError, match="day_of_month = '30': month_of_year = '2' has no such day"):
        crontab("0 0 30 2 *")
    with pytest.raises(ScheduleError, match="has no such day"):
        crontab(day_of_month=31, month_of_year="4,6,9,11")
    assert days(crontab("0 0 30 2 fri", either_day=True), 1) == ["2026-02-06"]


def test_a_line_of_a_crontab_file_is_taken_whole():
    assert crontab("0 4 1 2 mon") == crontab.from_string("0 4 1 2 mon") == crontab(0, 4, "mon", 1, 2)
    assert crontab("@daily") == crontab("@midnight") == crontab(0, 0)
    assert crontab("@weekly") == crontab(0, 0, 0)
    assert crontab("@monthly") == crontab(0, 0, day_of_month=1)
    assert crontab("@yearly") == crontab("@annually") == crontab("0 0 1 1 *")
    assert crontab("@hourly") == crontab(0)
    assert crontab("5 , 10") == crontab("5,10")
    with pytest.raises(ScheduleError, match="no other field can be given"):
        crontab("0 4 * * *", hour=5)
    with pytest.raises(ScheduleError, match="it needs five fields"):
        crontab.from_string("5")


def test_both_days_must_match_or_either_if_asked():
    assert days(crontab("0 0 13 * fri"), 2) == ["2026-02-13", "2026-03-13"]
    assert days(crontab("0 0 13 * fri", either_day=True), 4) == ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]
    assert days(crontab("0 0 13 * *", either_day=True), 2) == ["2026-01-13", "2026-02-13"]
    assert days(crontab("0 0 * * fri", either_day=True), 2) == ["2026-01-02", "2026-01-09"]


def test_rare_days_come_when_the_calendar_has_them():
    assert days(crontab("0 0 29 2 *"), 2, datetime(2096, 3, 1, tzinfo=UTC)) == ["2104-02-29", "2108-02-29"]
    assert days(crontab("0 0 29 2 mon"), 3, datetime(2072, 3, 1, tzinfo=UTC)) == ["2112-02-29", "2140-02-29", "2168-02-29"]
    assert days(crontab("0 0 31 * *"), 3) == ["2026-01-31", "2026-03-31", "2026-05-31"]


def test_behind_the_end_of_the_calendar_it_never_fires_again():
    last = datetime(9999, 12, 31, 12, tzinfo=UTC).timestamp()
    assert crontab("0 0 * * *").next(last, UTC) is None
    assert crontab("0 0 29 2 *").next(datetime(9997, 1, 1, tzinfo=UTC).timestamp(), UTC) is None


def test_it_fires_strictly_after_the_moment_also_within_a_minute():
    schedule = crontab("*/5 * * * *")
    start = START.timestamp()
    assert schedule.next(start, UTC) == start + 300
    assert schedule.next(start - 0.001, UTC) == start
    assert schedule.next(start + 299.999, UTC) == start + 300


def test_before_the_epoch_it_fires_too():
    assert crontab("0 0 1 1 *").next(-1.0, UTC) == 0.0
    assert crontab("0 0 1 1 *").next(-86_400.0 * 365, UTC) == 0.0


def test_a_zone_of_its_own_goes_before_the_apps():
    berlin = crontab(0, 4, timezone="Europe/Berlin")
    assert berlin.next(START.timestamp(), UTC) == datetime(2026, 1, 1, 4, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert (
        crontab(0, 4, timezone="UTC+05:30").next(START.timestamp(), UTC) == datetime(2026, 1, 1, 22, 30, tzinfo=UTC).timestamp()
    )
    with pytest.raises(ScheduleError, match="timezone 'Europe/Berln': no such time zone"):
        crontab(0, 4, timezone="Europe/Berln")


@pytest.mark.parametrize(
    "schedule",
    [
        crontab(),
        crontab("0 4 * * mon", timezone="Europe/Berlin"),
        crontab([0, 30], "8-17", {1, 2}, (1, "15"), range(1, 4)),
        crontab("0 0 30 2 fri", either_day=True),
        crontab(0, timezone=timezone(timedelta(hours=-3, minutes=-30))),
    ],
    ids=str,
)
def test_data_pickles_and_copies_give_it_back(schedule):
    again = from_data(json.loads(json.dumps(schedule.as_data())))
    for other in (again, pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert repr(other) == repr(schedule)


def test_equal_are_those_that_fire_together():
    assert crontab("*/30 * * * *") == crontab([0, 30])
    assert crontab(0) != crontab(0, timezone="Europe/Berlin")
    assert crontab("0 0 13 * fri") != crontab("0 0 13 * fri", either_day=True)
    assert crontab(0) != 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/7 * * * *", "at minute 0, 7, 14, 21, 28, 35, 42, 49, 56 every hour"),
        ("15,45 * * * *", "at minute 15, 45 every hour"),
        ("0 4 * * *", "at 04:00 every day"),
        ("0 4 * * mon", "at 04:00 every Monday"),
        ("30 9,17 * * mon-fri", "at 09:30, 17:30 every Monday-Friday"),
        ("0 */2 * * *", "every 2 hours"),
        ("0 8-17 * * 1-5", "on the hour at 8-17 every Monday-Friday"),
        ("*/10 8-17 * * *", "every 10 minutes in the hours 8-17"),
        ("0 0 1,15 * *", "at 00:00 on day 1, 15 of the month"),
        ("0 0 24 dec *", "at 00:00 on day 24 in December"),
        ("0 0 13 * fri", "at 00:00 on day 13 of the month if it is Friday"),
    ],
)
def test_people_are_told_when_it_fires(line, told):
    assert str(crontab(line)) == told


def test_people_are_told_that_either_day_is_enough():
    assert str(crontab("0 0 13 * fri", either_day=True)) == "at 00:00 on day 13 of the month or Friday"


def test_the_repr_reads_as_celerys_does():
    assert repr(crontab(0, 4, 1, "1-5", "jan")) == "<crontab: 0 4 1-5 jan 1 (m/h/dM/MY/d)>"


def test_tools_around_celery_find_the_fields_as_given():
    schedule = crontab("*/15", 4)
    assert (schedule._orig_minute, schedule._orig_hour, schedule._orig_day_of_week) == ("*/15", 4, "*")
