"""What a beat sends goes through what somebody has put in the place of the sending methods, and is guarded all the same."""

from __future__ import annotations

import pytest
from tests.beat.messages import drain, waiting

from umbel import Task
from umbel.beat.dispatch import fire_through
from umbel.testing.waiting import until


class Noting(Task):
    """Puts a tenant into the headers, and sends something of its own beside each message."""

    abstract = True

    def apply_async(self, args=None, kwargs=None, **options):
        self.app.send_task("beside", queue="beside")
        options["headers"] = {**options["headers"], "tenant": "x"}
        return super().apply_async(args, kwargs, **options)


class Never(Task):
    """Is not sent."""

    abstract = True
    asked = []

    def apply_async(self, *args, **options):
        self.asked.append(args)


def test_a_task_s_own_way_of_sending_is_entered_for_each_tick(app, start):
    app.task(lambda *args: None, name="noted", base=Noting)
    app.add_periodic_task(0.1, app.tasks["noted"].s(1), name="often")
    beat = start(app)
    until(lambda: waiting(app) >= 3 and waiting(app, "beside") >= 3)
    beat.stop()
    found = drain(app)
    assert all((each["tenant"], each["periodic_task_name"], each["args"]) == ("x", "often", [1]) for each in found)
    assert len({each["id"] for each in found}) == len(found) == app.schedule["often"].count
    assert [each["task"] for each in drain(app, "beside")] == ["beside"] * len(found)


def test_one_that_sends_nothing_lets_the_schedule_go_on(app, start):
    app.task(lambda *args: None, name="never", base=Never)
    app.add_periodic_task(0.1, app.tasks["never"].s(), name="often")
    start(app)
    until(lambda: len(Never.asked) >= 3)
    assert waiting(app) == 0


def test_one_app_s_own_way_of_sending_is_entered_for_strangers_too(app, start):
    names, send_task = [], app.send_task

    def noting(name, *args, **options):
        names.append(name)
        return send_task(name, *args, **options)

    app.send_task = noting
    app.schedule.add("mine", "stranger", 0.1)
    start(app)
    until(lambda: waiting(app) >= 2)
    assert set(names) == {"stranger"}


@pytest.fixture
def through():
    """Lets `fire_through` end with the test."""
    yield fire_through
    fire_through(None)


def test_somebody_may_be_entered_for_each_message_and_change_its_entry(app, start, through):
    seen = []

    def enter(entry, fire):
        seen.append(entry.name)
        fire(entry.changed(options={**entry.options, "headers": {"trace": "t"}}))

    through(enter)
    app.add_periodic_task(0.1, app.tasks["add"].s(1, 2), name="often")
    start(app)
    until(lambda: waiting(app) >= 2)
    assert {(each["trace"], each["periodic_task_name"]) for each in drain(app)} == {("t", "often")}
    assert set(seen) == {"often"}
