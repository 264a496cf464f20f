"""Schedulers written for Celery: the classes they derive from, and that they run under the same leadership."""

from __future__ import annotations

import pickle
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.beat.messages import drain, waiting

from umbel import clock
from umbel.beat import PersistentScheduler, ScheduleEntry, Scheduler, SchedulingError, find_scheduler
from umbel.errors import ImproperlyConfigured
from umbel.schedules import crontab, schedule
from umbel.testing.waiting import until


@pytest.fixture
def now(monkeypatch):
    """Moves the clock."""
    offset, real = [0.0], clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + offset[0])

    def move(seconds):
        offset[0] += seconds

    return move


def test_an_entry_knows_when_it_is_due_and_counts_its_runs(app, now):
    entry = ScheduleEntry(name="a", task="add", schedule=10, args=(1,), kwargs={"y": 2}, options={"queue": "q"}, app=app)
    assert entry.schedule == schedule(10)
    assert (entry.total_run_count, entry.is_due().is_due) == (0, False)
    now(11)
    assert entry.is_due().is_due
    later = next(entry)
    assert (later.total_run_count, later.is_due().is_due, later.options) == (1, False, {"queue": "q"})
    assert later.last_run_at > entry.last_run_at
    assert entry.editable_fields_equal(later)
    assert repr(entry) == "<ScheduleEntry: a add(1, y=2) <freq: 10.00 seconds>"


def test_an_entry_can_be_pickled(app):
    entry = ScheduleEntry("a", "add", schedule=crontab(hour=4), args=(1,))
    copy = pickle.loads(pickle.dumps(entry))
    assert (copy, copy.last_run_at) == (entry, entry.last_run_at)


def test_tick_sends_what_is_due_and_tells_how_long_to_sleep(app, now):
    app.conf.beat_schedule = {
        "a": {"task": "add", "schedule": 10, "args": (1,)},
        "b": {"task": "unknown", "schedule": timedelta(seconds=20), "options": {"queue": "other"}},
    }
    scheduler = Scheduler(app, max_interval=60)
    assert 9 < scheduler.tick() <= 10
    now(10)
    assert 9 < scheduler.tick() <= 10
    assert [each["periodic_task_name"] for each in drain(app)] == ["a"]
    now(10)
    scheduler.tick()
    assert [each["periodic_task_name"] for each in drain(app)] == ["a"]
    assert [each["task"] for each in drain(app, "other")] == ["unknown"]
    assert scheduler.schedule["a"].total_run_count == 2


def test_edits_are_taken_over_and_keep_when_an_entry_ran(app, now):
    scheduler = Scheduler(app, lazy=True)
    assert scheduler.tick() == 300
    scheduler.update_from_dict({"a": {"task": "add", "schedule": 10}, "b": {"task": "add", "schedule": 10}})
    ran = scheduler.schedule["a"].last_run_at
    scheduler.merge_inplace({"a": {"task": "add", "schedule": 3, "args": (5,)}})
    assert list(scheduler.schedule) == ["a"]
    assert scheduler.schedule["a"].last_run_at == ran
    now(4)
    scheduler.tick()
    assert [each["args"] for each in drain(app)] == [[5]]
    scheduler.add(name="c", task="add", schedule=1)
    assert scheduler.tick() < 1


def test_what_cannot_be_sent_is_told_and_the_others_are(app, now, caplog):
    scheduler = Scheduler(app, lazy=True)
    scheduler.update_from_dict(
        {"bad": {"task": "add", "schedule": 1, "args": (object(),)}, "good": {"task": "add", "schedule": 1}}
    )
    now(2)
    scheduler.tick()
    assert waiting(app) == 1
    assert "Entry 'bad' could not be sent" in caplog.text
    with pytest.raises(SchedulingError, match="entry 'bad' could not be sent"):
        scheduler.apply_async(scheduler.schedule["bad"])


def test_an_entry_of_the_code_that_is_wrong_stops_no_other(app, now, caplog):
    app.conf.beat_schedule = {
        "wrong": {"task": "add", "schedule": "0 25 * * *"},
        "none": None,
        "good": {"task": "add", "schedule": 5},
    }
    scheduler = Scheduler(app)
    assert sorted(scheduler.schedule) == ["good"]
    assert "Entry 'wrong' is not sent: crontab field hour = '25': 25 is not in 0-23" in caplog.text
    assert "Entry 'none' is not sent: " in caplog.text


class Rows(Scheduler):
    """Reads its entries from elsewhere, all at once, whenever it is told to."""

    class Entry(ScheduleEntry):
        """Of a row that may be broken."""

        def __init__(self, row, app=None):
            super().__init__(row.name, "add", schedule=row.every, args=row.args, app=app)

        def __next__(self):
            self.last_run_at = self.default_now()
            self.total_run_count += 1
            return self

    def read(self, *rows):
        self.data = {row.name: self.Entry(row, app=self.app) for row in rows}


def test_a_row_of_which_no_entry_can_be_made_is_told_and_the_others_are_sent(app, now, caplog):
    scheduler = Rows(app, lazy=True)
    good, bad = SimpleNamespace(name="good", every=1, args=[1]), SimpleNamespace(name="bad", every=1)
    scheduler.read(bad, good)
    assert "Entry 'bad' is not sent until it is mended: AttributeError: " in caplog.text
    assert isinstance(scheduler.schedule["good"], scheduler.Entry)
    scheduler.tick()
    now(2)
    assert scheduler.tick() <= 1
    assert [each["args"] for each in drain(app)] == [[1]]
    bad.args = [2]
    scheduler.read(bad, good)
    scheduler.tick()
    now(2)
    scheduler.tick()
    assert sorted(each["args"] for each in drain(app)) == [[1], [2]]


def test_an_entry_whose_run_cannot_be_counted_stops_no_other(app, now, caplog):
    scheduler = Rows(app, lazy=True)
    scheduler.read(SimpleNamespace(name="bad", every=1, args=[]), SimpleNamespace(name="good", every=1, args=[1]))
    scheduler.schedule["bad"].total_run_count = "many"
    for _ in range(3):
        now(2)
        scheduler.tick()
    assert [each["args"] for each in drain(app)] == [[1], [1], [1]]
    assert caplog.text.count("Entry 'bad' could not be sent; it is asked again in ") == 3


def test_what_was_sent_is_not_blamed_for_what_cannot_be_saved(app, now, caplog):
    class Broken(Scheduler):
        def sync(self):
            raise OSError("no room left")

    scheduler = Broken(app, lazy=True)
    scheduler.update_from_dict({"a": {"task": "add", "schedule": 1}})
    now(2)
    scheduler.tick()
    assert waiting(app) == 1
    assert "When entries ran could not be saved" in caplog.text
    assert "'a'" not in caplog.text


def test_it_syncs_as_often_as_it_is_told(app, now):
    calls = []

    class Syncing(Scheduler):
        sync_every_tasks = 2

        def sync(self):
            calls.append(self._tasks_since_sync)

    scheduler = Syncing(app, lazy=True, sync_every_tasks=2)
    scheduler.update_from_dict({"a": {"task": "add", "schedule": 1}})
    for _ in range(5):
        now(2)
        scheduler.tick()
    assert calls == [1, 2, 2]
    scheduler.close()
    assert len(calls) == 4


class Database(Scheduler):
    """As projects have them: entries from elsewhere, looked at in each tick, and a note of each run."""

    rows = {"row": {"task": "add", "schedule": 0.2, "args": [7]}}
    notes: list[str] = []
    made = 0

    def __init__(self, *args, **kwargs):
        self._schedule = {}
        type(self).made += 1
        super().__init__(*args, **kwargs)
        self.max_interval = kwargs.get("max_interval") or self.app.conf.beat_max_loop_interval or 5

    def setup_schedule(self):
        self.install_default_entries(self.schedule)

    @property
    def schedule(self):
        for name, row in self.rows.items():
            if name not in self._schedule:
                self._schedule[name] = self.Entry(name=name, app=self.app, **row)
        return self._schedule

    def reserve(self, entry):
        self.notes.append(entry.name)
        return super().reserve(entry)

    def apply_async(self, entry, producer=None, advance=True, **kwargs):
        entry.options.setdefault("headers", {})["own"] = True
        return super().apply_async(entry, producer=producer, advance=advance, **kwargs)


def test_a_scheduler_of_ones_own_runs_under_the_same_leadership(app, start):
    Database.made, Database.notes = 0, []
    first = start(app, scheduler=Database).leads()
    second = start(app, scheduler=Database)
    until(lambda: waiting(app) >= 3)
    assert Database.made == 1, "who does not lead does not make one"
    first.stop()
    second.leads()
    sent = waiting(app)
    until(lambda: waiting(app) >= sent + 2)
    found = drain(app)
    assert all((each["args"], each["own"], each["periodic_task_name"]) == ([7], True, "row") for each in found)
    assert len(Database.notes) >= len(found)


def test_a_failure_lets_it_read_its_entries_anew(app, start, caplog):
    class Failing(Database):
        rows = {"row": {"task": "add", "schedule": 0.2, "args": [8]}}
        fails = False

        def tick(self):
            if type(self).fails:
                type(self).fails = False
                raise OSError("no table")
            return super().tick()

    Failing.made = 0
    start(app, scheduler=Failing).leads()
    until(lambda: waiting(app) >= 1)
    Failing.fails = True
    until(lambda: Failing.made == 2)
    assert "OSError: no table" in caplog.text
    sent = waiting(app)
    until(lambda: waiting(app) >= sent + 2)


def test_one_that_derives_from_celerys_default_goes_on_where_the_last_one_stopped(app, start):
    class Own(PersistentScheduler):
        pass

    app.conf.beat_schedule = {"a": {"task": "add", "schedule": 0.2}}
    start_ = start(app, scheduler=Own).leads()
    until(lambda: waiting(app) >= 3)
    start_.stop()
    assert app.schedule["a"].count == waiting(app)
    again = Own(app)
    assert again.schedule["a"].total_run_count == waiting(app)
    assert again.schedule["a"].last_run_at == clock.utc(app.schedule["a"].last)


@pytest.mark.parametrize("name", ["umbel", "celery.beat:PersistentScheduler", "umbel.beat.PersistentScheduler", "", None])
def test_these_names_mean_umbels_own(name):
    assert find_scheduler(name) is None


def test_a_scheduler_is_found_by_class_path_and_entry_point(monkeypatch):
    assert find_scheduler(Database) is Database
    assert find_scheduler("umbel.beat.scheduler:Scheduler") is Scheduler
    assert find_scheduler("umbel.beat.Scheduler") is Scheduler

    class Point:
        name = "django"

        def load(self):
            return Database

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point()] if group == "celery.beat_schedulers" else [])
    assert find_scheduler("django") is Database
    with pytest.raises(ImproperlyConfigured, match="there are umbel, django"):
        find_scheduler("other")


def test_what_is_no_scheduler_is_refused():
    with pytest.raises(ImproperlyConfigured, match="is no class of schedulers"):
        find_scheduler("os.path")
