"""Intervals, times that come once, the sun, schedules of one's own, and how all are read."""

from __future__ import annotations

import itertools
import json
import pickle
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import pytest

from umbel import Umbel, clock
from umbel.errors import ImproperlyConfigured, ScheduleError
from umbel.schedules import BaseSchedule, Schedule, clocked, crontab, from_data, maybe_schedule, schedstate, schedule, solar, zone

BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = datetime(2026, 5, 5, 10, 17, 23, tzinfo=UTC).timestamp()


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_interval_follows_the_firing_before():
    assert schedule(10).next(MOMENT, UTC) == MOMENT + 10
    assert schedule(timedelta(days=1)).next(at("2026-03-28T12:00+01:00"), BERLIN) == at("2026-03-29T13:00+02:00")


@pytest.mark.parametrize(
    ("every", "due"),
    [
        (timedelta(days=1), "2026-05-06T00:00+02:00"),
        (timedelta(days=3), "2026-05-08T00:00+02:00"),
        (timedelta(hours=2), "2026-05-05T12:00+00:00"),
        (timedelta(minutes=5), "2026-05-05T10:22+00:00"),
        (30, "2026-05-05T10:17:53+00:00"),
    ],
)
def test_a_relative_interval_comes_at_the_start_of_its_unit(every, due):
    assert schedule(every, relative=True).next(MOMENT + 0.4, BERLIN) == at(due)


def test_a_relative_day_is_a_day_of_the_wall_clock():
    daily = schedule(timedelta(days=1), relative=True)
    assert daily.next(at("2026-03-29T00:00+01:00"), BERLIN) == at("2026-03-30T00:00+02:00")  # 23 hours
    havana = ZoneInfo("America/Havana")  # where midnight itself is in the gap, and comes twice in the fold
    assert daily.next(at("2026-03-07T00:00-05:00"), havana) == at("2026-03-08T01:00-04:00")
    once = daily.next(at("2026-10-31T12:00-04:00"), havana)
    assert once == at("2026-11-01T00:00-04:00")
    assert daily.next(once, havana) == at("2026-11-02T00:00-05:00")
    assert daily.next(at("2026-11-01T00:30-05:00"), havana) == at("2026-11-02T00:00-05:00")


def test_a_relative_hour_is_real_time():
    hourly = schedule(3600, relative=True)
    assert hourly.next(at("2026-10-25T02:00+02:00"), BERLIN) == at("2026-10-25T02:00+01:00")


@pytest.mark.parametrize("every", [0, -1, True, "10", None, float("nan"), float("inf"), timedelta(0)])
def test_an_interval_that_is_none_is_refused(every):
    with pytest.raises(ScheduleError, match="it takes seconds or a timedelta, more than 0"):
        schedule(every)


@pytest.mark.parametrize("every", [1e-9, 1e-6, 0.0005])
def test_an_interval_that_is_too_short_to_be_kept_is_a_millisecond(every):
    short = schedule(every)
    assert short.next(1.8e9, UTC) == 1.8e9 + 0.001
    assert short.seconds == every


@pytest.mark.parametrize("every", [timedelta.max, 1e12])
@pytest.mark.parametrize("relative", [True, False])
def test_an_interval_that_ends_after_all_dates_never_does(every, relative):
    assert schedule(every, relative=relative).next(1.8e9, UTC) is None


def test_an_interval_has_celerys_words():
    ten = schedule(10)
    assert (ten.seconds, ten.run_every, ten.human_seconds, repr(ten)) == (
        10.0,
        timedelta(seconds=10),
        "10.00 seconds",
        "<freq: 10.00 seconds>",
    )
    assert [str(schedule(every)) for every in (0.5, 10, 90, 7200)] == [
        "every 0.5 s",
        "every 10 s",
        "every 1 min 30 s",
        "every 2 h",
    ]
    assert str(schedule(86_400, relative=True)) == "every 1 d at midnight"
    assert repr(schedule(0.5)) == "<freq: now>"


def test_a_time_that_comes_once_is_over_then():
    moment = at("2026-05-05T08:00+02:00")
    for once in (clocked("2026-05-05T08:00:00+02:00"), clocked(datetime(2026, 5, 5, 8)), clocked("2026-05-05T08:00:00")):
        assert once.next(moment - 0.5, BERLIN) == moment
        assert once.next(moment, BERLIN) is None


def test_a_time_of_the_wall_clock_within_a_gap_comes_behind_it():
    assert clocked("2026-03-29T02:30:00").next(0, BERLIN) == at("2026-03-29T03:00+02:00")
    assert clocked("2026-10-25T02:30:00", timezone="Europe/Berlin").next(0, UTC) == at("2026-10-25T02:30+02:00")


@pytest.mark.parametrize("words", ["tomorrow", 5, None])
def test_what_is_no_time_is_refused(words):
    with pytest.raises(ScheduleError, match=r"clocked .*ISO 8601"):
        clocked(words)


def test_behind_the_end_of_the_calendar_nothing_comes():
    last = at("9999-12-31T12:00+00:00")
    assert schedule(86_400, relative=True).next(last, UTC) is None
    assert schedule(86_400 * 8000 * 365, relative=True).next(MOMENT, UTC) is None
    assert clocked("9999-12-31T12:00:00").next(MOMENT, UTC) is None


def test_of_many_zones_what_was_worked_out_is_let_go_and_comes_out_the_same(monkeypatch):
    monkeypatch.setattr(zone, "_ROOM", 3)
    monkeypatch.setattr(zone, "_spans", {})
    names = ["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Apia", "UTC"]
    first = [crontab(0, 4).next(MOMENT, ZoneInfo(name)) for name in names]
    assert [crontab(0, 4).next(MOMENT, ZoneInfo(name)) for name in names] == first
    assert len(zone._spans) <= 3


def test_the_sun_of_berlin_rises_and_sets_as_its_calendars_say():
    midnight = at("2026-06-21T00:00+02:00")
    for event, told in (("sunrise", "04:43"), ("solar_noon", "13:08"), ("sunset", "21:33")):
        due = solar(event, 52.52, 13.4).next(midnight, UTC)
        assert due is not None
        assert abs(due - at(f"2026-06-21T{told}+02:00")) < 90


def test_the_events_of_a_day_come_in_order():
    events = [
        *("dawn_astronomical", "dawn_nautical", "dawn_civil", "sunrise", "solar_noon", "sunset"),
        *("dusk_civil", "dusk_nautical", "dusk_astronomical"),
    ]
    due = [solar(event, 0, 0).next(at("2026-03-01T00:00+00:00"), UTC) for event in events]
    assert due == sorted(due)


@pytest.mark.parametrize("place", [(52.5, 13.4), (-33.9, 151.2), (69.6, 18.9), (0, 179.9)])
def test_each_sunset_comes_once_and_none_is_left_out(place):
    sunset = solar("sunset", *place)
    moment, gaps = at("2026-01-01T00:00+00:00"), []
    while moment < at("2027-01-01T00:00+00:00"):
        due = sunset.next(moment, UTC)
        assert due is not None
        assert sunset.next((moment + due) / 2, UTC) == due  # whoever asks later gets the same
        gaps.append(due - moment)
        moment = due
    long = [gap for gap in gaps[1:] if not 86_400 - 3600 < gap < 86_400 + 3600]
    assert len(long) == (2 if place[0] > 66 else 0)  # polar day and polar night


def test_beyond_the_polar_circle_the_sun_comes_when_it_comes_again():
    due = solar("sunset", 80, 13).next(at("2026-10-25T00:00+00:00"), UTC)
    assert due is not None
    assert datetime.fromtimestamp(due, UTC).strftime("%Y-%m") == "2027-02"
    assert solar("sunset", 90, 0).next(MOMENT, UTC) is None  # at the pole no day has one


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("noon", 0, 0), "'noon' is not known; there are dawn_"),
        (("sunset", 91, 0), "lat = 91"),
        (("sunset", 0, -181), "lon = -181"),
    ],
)
def test_an_event_or_place_that_is_none_is_refused(words, told):
    with pytest.raises(ScheduleError, match=told):
        solar(*words)


def test_without_ephem_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", None)
    with pytest.raises(ImproperlyConfigured, match=r"umbel\[solar\]"):
        solar("sunset", 0, 0)


class Odd(BaseSchedule):
    """Every `gap` seconds after the last run, in Celery's words."""

    def __init__(self, gap, nowfun=None, app=None):
        super().__init__(nowfun=nowfun, app=app)
        self.gap = gap

    def remaining_estimate(self, last_run_at):
        return last_run_at + timedelta(seconds=self.gap) - self.now()

    def __reduce__(self):
        return self.__class__, (self.gap,)


class Moody(crontab):
    """Not on odd days."""

    def is_due(self, last_run_at):
        return schedstate(is_due=False, next=3600) if self.now().day % 2 else super().is_due(last_run_at)


class Silent(BaseSchedule):
    def is_due(self, last_run_at):
        return schedstate(is_due=False, next=42)


def test_a_schedule_of_ones_own_needs_only_an_estimate():
    odd = Odd(7)
    assert not odd.polled
    assert odd.next(MOMENT, UTC) == MOMENT + 7
    assert odd.is_due(datetime.now(UTC) - timedelta(seconds=8)).is_due
    assert not odd.is_due(datetime.now(UTC)).is_due
    assert from_data(json.loads(json.dumps(odd.as_data()))).gap == 7


def test_one_that_is_due_again_at_once_waits_a_second():
    assert Odd(0).next(MOMENT, UTC) == MOMENT + 1


def test_one_with_an_is_due_of_its_own_is_polled():
    assert Moody("0 4 * * *").polled
    assert Silent.polled
    assert not crontab.polled
    assert Silent().next(MOMENT, UTC) == MOMENT + 42
    again = from_data(json.loads(json.dumps(Moody("0 4 * * *", timezone="Europe/Berlin").as_data())))
    assert type(again) is Moody
    assert again == crontab("0 4 * * *", timezone="Europe/Berlin")
    with pytest.raises(NotImplementedError, match="Silent needs remaining_estimate"):
        Silent().remaining_estimate(datetime.now(UTC))


def test_one_that_cannot_be_told_in_data_says_so():
    class Mute(BaseSchedule):
        pass

    with pytest.raises(ScheduleError, match="give Mute as_data"):
        Mute().as_data()
    with pytest.raises(ScheduleError, match="cannot be stored"):
        Odd(object()).as_data()


def test_state_beside_the_arguments_comes_back():
    class Stateful(Odd):
        def __reduce__(self):
            return self.__class__, (self.gap,), {"mood": [timedelta(seconds=5), BERLIN, {"a": 1}]}

    assert from_data(Stateful(3).as_data()).mood == [5.0, "Europe/Berlin", {"a": 1}]


@pytest.mark.parametrize(
    "made",
    [
        schedule(90, relative=True, timezone="Europe/Berlin"),
        clocked("2026-05-05T08:00:00", timezone="UTC"),
        solar("sunset", 1, 2),
    ],
    ids=str,
)
def test_data_and_pickles_give_it_back(made):
    for other in (from_data(json.loads(json.dumps(made.as_data()))), pickle.loads(pickle.dumps(made))):
        assert other == made
        assert hash(other) == hash(made)
        assert repr(other) == repr(made)
        assert made != crontab()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "no schedule of kind None"),
        ({"kind": ["crontab"]}, "no schedule of kind"),
        ({"kind": "os:system", "args": ["true"]}, "no schedule of kind 'os:system' is loaded here; import the module"),
        ({"kind": "crontab", "args": ["61"]}, "61 is not in 0-59"),
        ({"kind": "crontab", "args": 5}, "do not fit it"),
        ({"kind": "schedule", "args": [1], "kwargs": {"colour": 1}}, "do not fit it"),
        ({"kind": "schedule", "args": [1], "kwargs": []}, "do not fit it"),
        ({"kind": "schedule", "args": [1], "state": 5}, "do not fit it"),
    ],
)
def test_data_that_are_none_are_told(data, told):
    with pytest.raises(ScheduleError, match=told):
        from_data(data)


def test_what_people_write_becomes_a_schedule():
    class App:
        timezone = BERLIN

    app, once = App(), clocked("2026-05-05T08:00:00")
    assert maybe_schedule(10) == maybe_schedule(timedelta(seconds=10)) == schedule(10)
    assert maybe_schedule(60, relative=True) == schedule(60, relative=True)
    assert maybe_schedule("0 4 * * mon") == crontab("0 4 * * mon")
    assert maybe_schedule("@daily") == crontab(0, 0)
    assert maybe_schedule(once) is once
    assert maybe_schedule(datetime(2026, 5, 5, 8)) == once
    assert maybe_schedule(once, app=app).tz is BERLIN
    with pytest.raises(ScheduleError):
        maybe_schedule("10")


def test_is_due_goes_by_the_clock_and_takes_times_without_a_zone_as_utc(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: MOMENT)
    last = datetime.fromtimestamp(MOMENT - 7, UTC)
    assert schedule(10).is_due(last.replace(tzinfo=None)) == (False, 3.0)
    assert schedule(5).is_due(last) == (True, 5.0)
    assert schedule(10).remaining_estimate(last) == timedelta(seconds=3)
    assert schedule(10).now() == datetime.fromtimestamp(MOMENT, UTC)
    once = clocked(last)
    assert once.is_due(last - timedelta(1)) == (True, 86_400.0)
    assert once.is_due(last) == (False, 86_400.0)
    assert once.remaining_estimate(last) == timedelta.max
    assert schedule(10, nowfun=lambda: datetime(2026, 1, 1)).now() == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_crontab_missed_longer_ago_than_the_deadline_of_its_app_is_not_due(monkeypatch):
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    app = Umbel(broker="memory://", timezone="UTC", beat_cron_starting_deadline=600, set_as_current=False)
    hourly = crontab(minute=0, app=app)
    for passed, is_due in ((599, True), (601, False)):
        monkeypatch.setattr(clock, "now", lambda passed=passed: noon.timestamp() + passed)
        assert hourly.is_due(noon - timedelta(seconds=1)) == (is_due, 3600 - passed)
    assert schedule(60, app=app).is_due(noon - timedelta(days=1)).is_due, "an interval knows no deadline"


@pytest.fixture
def the_zone_of_before(monkeypatch):
    """Afterwards Python knows it again: the first `strptime` of a process has it read TZ, and it would remember that."""
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("the_zone_of_before")
def test_the_zone_of_the_machine_has_its_changes_of_the_clock(monkeypatch):
    app = Umbel(broker="memory://", enable_utc=False, set_as_current=False)
    for name in ("Europe/Berlin", ":Europe/Berlin"):
        monkeypatch.setenv("TZ", name)
        assert app.timezone == BERLIN
    monkeypatch.setenv("TZ", "")
    monkeypatch.setattr("os.path.realpath", lambda path: "/usr/share/zoneinfo/Europe/Berlin")
    assert app.timezone == BERLIN
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")  # words that no list of zones has
    assert app.timezone.utcoffset(None) is not None
    assert Umbel(broker="memory://", timezone="Asia/Tokyo", enable_utc=False).timezone == ZoneInfo("Asia/Tokyo")


def test_a_machine_without_time_zones_is_told_what_it_lacks():
    code = "import zoneinfo; zoneinfo.reset_tzpath([]); import umbel.schedules as s; s.read_zone('Europe/Paris')"
    command = [sys.executable, "-c", f"import sys; sys.modules['tzdata'] = None; {code}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "timezone 'Europe/Paris': this machine has no list of time zones (pip install tzdata)" in done.stderr


def test_a_schedule_says_what_it_is_in_one_line():
    assert str(clocked("2026-05-05T08:00:00")) == "once, at 2026-05-05 08:00:00"
    assert str(solar("dawn_civil", -33.9, 151.2)) == "at dawn civil at 33.9°S 151.2°E"
    assert repr(solar("sunset", 1, 2)) == "<solar: sunset at latitude 1, longitude: 2>"
    assert isinstance(solar("sunset", 1, 2), Schedule)


def transitions(data: bytes) -> list[int]:
    """The moments of change in a TZif file, from its 64-bit part."""
    counts = struct.unpack(">6l", data[20:44])
    head = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
    counts = struct.unpack(">6l", data[head + 20 : head + 44])
    return list(struct.unpack(f">{counts[3]}q", data[head + 44 : head + 44 + 8 * counts[3]]))


def test_no_zone_was_changed_twice_within_the_step_that_zones_are_looked_through_with():
    looked = 0
    for name in available_timezones():
        path = next((place for root in TZPATH if (place := Path(root, name)).is_file()), None)
        when = transitions(path.read_bytes()) if path else []
        looked += len(when)
        assert all(later - earlier > 12 * 3600 for earlier, later in itertools.pairwise(when)), name
    if not looked:
        pytest.skip("this system keeps no zone files")
