"""What is due when, what is made up for, and that edits take effect."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from umbel.beat.agenda import GRACE, Agenda
from umbel.client.periodic.entry import Entry
from umbel.schedules import BaseSchedule, clocked, crontab, maybe_schedule, schedstate
from umbel.stores.schedule import Changes, Row

START = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0


def row(name: str, schedule: object, *, since: float = START, fired: float | None = None, **more: object) -> Row:
    entry = Entry(name, "task", maybe_schedule(schedule), **more)
    return Row(name, entry.encode(), since=since, fired=fired)


def agenda(*rows: Row, zone: str = "UTC", deadline: float | None = None) -> Agenda:
    made = Agenda(ZoneInfo(zone), {}, deadline=deadline)
    made.load(Changes(1, list(rows), whole=True))
    return made


def sent(made: Agenda, now: float, limit: int = 10_000) -> list[tuple[str, float]]:
    """What would be sent now, with seconds since the start; it counts as sent."""
    ticks = made.due(now, limit)
    for tick in ticks:
        made.settle(tick)
    return [(tick.planned.name, moment - START) for tick in ticks for moment in tick.moments]


@pytest.fixture(autouse=True)
def the_time_is_the_start(monkeypatch):
    monkeypatch.setattr("umbel.clock.now", lambda: START)


def test_an_interval_counts_from_when_it_was_saved():
    made = agenda(row("a", 10))
    assert made.next_due == START + 10
    assert sent(made, START + 9.9) == []
    assert sent(made, START + 10) == [("a", 10)]
    assert made.next_due == START + 20


def test_lateness_does_not_shift_the_next_one():
    made = agenda(row("a", 10))
    assert sent(made, START + 13) == [("a", 10)]
    assert made.next_due == START + 20


def test_what_is_due_together_comes_together_the_oldest_first():
    made = agenda(row("a", 5), row("b", 3), row("c", 100))
    assert sent(made, START + 5) == [("b", 3), ("a", 5)]


def test_all_that_is_merely_late_is_sent():
    made = agenda(row("a", 5))
    assert sent(made, START + GRACE) == [("a", 5), ("a", 10), ("a", 15)]


def test_of_what_was_missed_the_newest_is_sent():
    made = agenda(row("a", HOUR))
    assert sent(made, START + 5.5 * HOUR) == [("a", 5 * HOUR)]
    assert made.next_due == START + 6 * HOUR


def test_nothing_missed_is_sent_if_something_later_is_merely_late():
    made = agenda(row("a", 10))
    assert sent(made, START + 1005) == [("a", 990), ("a", 1000)]


def test_an_entry_may_skip_what_it_missed():
    made = agenda(row("a", HOUR, catch_up="skip"))
    ticks = made.due(START + 5.5 * HOUR, 10)
    assert [(tick.moments, tick.settled - START) for tick in ticks] == [([], 5 * HOUR)]


def test_an_entry_that_skips_still_sends_what_is_merely_late():
    made = agenda(row("a", HOUR, catch_up="skip"))
    assert sent(made, START + 5 * HOUR + GRACE) == [("a", 5 * HOUR)]


def test_an_entry_may_make_up_for_the_newest_few():
    made = agenda(row("a", HOUR, catch_up=3))
    assert sent(made, START + 5.5 * HOUR) == [("a", 3 * HOUR), ("a", 4 * HOUR), ("a", 5 * HOUR)]


def test_an_entry_may_make_up_for_all():
    made = agenda(row("a", HOUR, catch_up=1000))
    assert sent(made, START + 5.5 * HOUR) == [("a", hours * HOUR) for hours in range(1, 6)]


@pytest.mark.parametrize("schedule", [10, 7.3, crontab(), crontab(minute="*/7"), maybe_schedule(30, relative=True)])
@pytest.mark.parametrize("catch_up", [1, 50])
def test_after_a_month_the_same_moments_are_found_without_walking_through_them_all(schedule, catch_up):
    now = START + 30 * DAY + 1.234
    leaping = agenda(row("a", schedule, catch_up=catch_up))
    found = [moment for _, moment in sent(leaping, now)]
    near, walk = START, maybe_schedule(schedule).next
    while (following := walk(near, UTC)) < now:
        near = following
    assert found[-1] == pytest.approx(near - START, abs=0.05)  # adding 7.3 a hundred thousand times is not exact
    assert len(found) >= catch_up
    assert leaping.next_due == pytest.approx(walk(near, UTC), abs=0.05)


def test_a_firing_that_is_settled_in_the_store_does_not_come_again():
    made = agenda(row("a", 10, fired=START + 30))
    assert made.next_due == START + 40


def test_what_was_due_while_it_was_disabled_is_not_made_up_for():
    made = agenda(row("a", 10, since=START + 100, fired=START + 30))
    assert made.next_due == START + 110


def test_a_schedule_that_was_changed_counts_from_the_change():
    before = row("a", crontab(hour=4, minute=0), fired=START - 8 * HOUR)
    entry = Entry("a", "task", crontab(hour=5, minute=0)).continuing(before.definition, START)
    made = agenda(Row("a", entry.encode(), fired=before.fired))
    assert made.next_due == START + 17 * HOUR


def test_a_change_of_arguments_leaves_its_times_alone():
    before = row("a", 10, fired=START - 3)
    entry = Entry("a", "task", maybe_schedule(10), args=(1,)).continuing(before.definition, START)
    made = agenda(Row("a", entry.encode(), fired=before.fired))
    assert made.next_due == START + 7


def test_each_entry_goes_by_its_own_zone():
    made = agenda(row("app", crontab(hour=6, minute=0)), row("own", crontab(hour=6, minute=0), timezone="Asia/Tokyo"), zone="UTC")
    assert sent(made, START + DAY) == [("own", 9 * HOUR), ("app", 18 * HOUR)]


def test_the_zone_of_the_app_counts_where_there_is_no_other():
    made = agenda(row("a", crontab(hour=15, minute=0)), zone="Europe/Paris")
    assert made.next_due == START + HOUR


def test_a_crontab_missed_longer_ago_than_the_deadline_is_left_out():
    made = agenda(row("a", crontab(minute=0)), row("b", HOUR, since=START), deadline=600)
    assert sent(made, START + 1.5 * HOUR) == [("b", HOUR)]
    assert sent(made, START + 2 * HOUR + 300) == [("a", 2 * HOUR), ("b", 2 * HOUR)]


def test_what_comes_once_comes_once():
    made = agenda(row("a", clocked(datetime.fromtimestamp(START + 50, UTC))))
    assert sent(made, START + 60) == [("a", 50)]
    assert made.next_due is None


def test_an_entry_that_is_disabled_is_not_due():
    off = row("a", 10)
    off.enabled = False
    assert agenda(off).next_due is None


def test_edits_take_effect():
    made = agenda(row("a", 10), row("b", 20), row("c", 30))
    made.load(Changes(2, [row("a", 15)], ["b"]))
    assert sent(made, START + 30) == [("a", 15), ("a", 30), ("c", 30)]


def test_an_edit_of_what_is_on_its_way_does_not_send_it_twice():
    made = agenda(row("a", 10))
    ticks = made.due(START + 10, 10)
    made.load(Changes(2, [row("a", 10, args=(1,), fired=START + 10)]))
    for tick in ticks:
        made.settle(tick)
    assert sent(made, START + 20) == [("a", 20)]


def test_what_could_not_be_sent_is_still_due():
    made = agenda(row("a", 10))
    for tick in made.due(START + 10, 10):
        made.retry(tick)
    assert sent(made, START + 10) == [("a", 10)]


def test_a_limit_keeps_the_rest_for_the_next_step():
    made = agenda(*(row(f"e{number}", 10) for number in range(10)))
    assert len(sent(made, START + 10, limit=4)) == 4
    assert len(sent(made, START + 10)) == 6


def test_an_entry_that_cannot_be_read_does_not_stop_the_others(caplog):
    bad = [Row("no json", b"{"), Row("no task", b'{"schedule": {}}'), Row("unknown", b'{"task":"t","schedule":{"kind":"x:Y"}}')]
    made = agenda(*bad, row("a", 10))
    assert sent(made, START + 10) == [("a", 10)]
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(" is not sent: ")[0] for line in told] == ["Entry 'no json'", "Entry 'no task'", "Entry 'unknown'"]
    assert "no schedule of kind 'x:Y' is loaded here" in told[2]


def test_moments_are_whole_microseconds_as_all_stores_keep_them():
    made = agenda(row("a", 1 / 3))
    assert sent(made, START + 1.1) == [("a", pytest.approx(at, abs=5e-7)) for at in (0.333333, 0.666666, 0.999999)]


class Failing(BaseSchedule):
    def remaining_estimate(self, last_run_at):
        raise RuntimeError("it is broken")

    def __reduce__(self):
        return Failing, ()


class Odd(BaseSchedule):
    """Due whenever the clock shows an odd second."""

    def is_due(self, last_run_at):
        return schedstate(int(self.now().timestamp()) % 2 == 1, 1.0)

    def __reduce__(self):
        return Odd, ()


class OnTheHour(crontab):
    """One that would not be asked if it had no `is_due` of its own."""

    def is_due(self, last_run_at):
        return super().is_due(last_run_at)


def test_the_deadline_counts_for_crontabs_with_an_is_due_of_their_own_too(monkeypatch):
    made = agenda(row("a", OnTheHour(minute=0)), deadline=600)
    for now, found in ((START + HOUR + 700, []), (START + 2 * HOUR + 300, [("a", 2 * HOUR)])):
        monkeypatch.setattr("umbel.clock.now", lambda now=now: now)
        assert sent(made, now) == found


def test_a_schedule_that_fails_is_told_and_the_others_go_on(caplog):
    made = agenda(row("bad", Failing()), row("a", 10))
    assert sent(made, START + 10) == [("a", 10)]
    assert "Entry 'bad' is not sent: its schedule failed" in caplog.text


def test_a_schedule_with_an_is_due_of_its_own_is_asked(monkeypatch):
    made = agenda(row("odd", Odd()))
    monkeypatch.setattr("umbel.clock.now", lambda: START + 2)
    assert sent(made, START + 2) == []
    monkeypatch.setattr("umbel.clock.now", lambda: START + 3)
    assert len(sent(made, START + 3)) == 1
