"""Beats that run: they save what the code names, send what is due, and let one lead."""

from __future__ import annotations

import gc
import logging
import math
import os
import re
import time

import pytest
from tests.beat.messages import drain, waiting

from umbel import Umbel, clock, signals
from umbel.beat import BeatLazyFunc
from umbel.beat.agenda import Agenda
from umbel.errors import BrokerDown, BrokerRefused, ImproperlyConfigured
from umbel.schedules import BaseSchedule, crontab, maybe_schedule
from umbel.stores.schedule import Ticks
from umbel.testing.waiting import factor, pace, until


def names(app: Umbel) -> dict[str, object]:
    return {line.name: line for line in app.schedule}


def chain(first: float, every: float, count: int) -> list[float]:
    """Due times without a gap, as exact as ids tell them."""
    return [pytest.approx(first + every * number, abs=0.002) for number in range(count)]


def test_what_is_due_is_sent_again_and_again(app, start):
    app.add_periodic_task(0.1, app.tasks["add"].s(1, 2), name="often", expires=60, headers={"x": "y"})
    start(app)
    until(lambda: waiting(app) >= 5)
    found = drain(app)
    assert all(each["task"] == "add" and each["args"] == [1, 2] for each in found)
    assert all(each["celery_beat_task"] is True and each["periodic_task_name"] == "often" for each in found)
    assert all(each["x"] == "y" and each["expires"] for each in found)
    assert [each["due"] for each in found] == chain(found[0]["due"], 0.1, len(found))


def test_the_store_is_told_what_was_sent(app, start):
    app.add_periodic_task(0.1, app.tasks["add"].s(1, 2), name="often")
    beat = start(app)
    until(lambda: waiting(app) >= 3)
    beat.stop()
    line = app.schedule["often"]
    assert line.count == waiting(app)
    assert line.last == pytest.approx(drain(app)[-1]["due"], abs=0.002)
    assert line.next == pytest.approx(line.last + 0.1, abs=0.002)


@pytest.mark.parametrize("words", [b'"start":"soon"', b'"start":null', b'"timezone":[1]', b'"origin":[1]'])
def test_what_was_broken_by_hand_is_as_the_code_says_again(app, start, words):
    app.conf.beat_schedule = {"a": {"task": "add", "schedule": 0.2}}
    app.schedule.save_named()
    store = app.schedule_store
    kept = store.find(["a"])[0].definition
    store.save([("a", kept[:-1] + b"," + words + b"}")])
    start(app).leads()
    until(lambda: waiting(app) > 0)
    assert words not in store.find(["a"])[0].definition


def test_entries_of_the_code_are_saved_changed_and_removed(app, start):
    app.conf.beat_schedule = {
        "a": {"task": "add", "schedule": 3600, "args": (1, 2)},
        "b": {"task": "add", "schedule": crontab(hour=4, minute=0), "options": {"queue": "q"}},
    }
    start(app).leads().stop()
    assert sorted(names(app)) == ["a", "b"]
    assert app.schedule["b"].entry.options == {"queue": "q"}
    before = app.schedule_store.changes().version
    start(app).leads().stop()
    assert app.schedule_store.changes().version == before, "what is the same is not touched"
    app.conf.beat_schedule = {"a": {"task": "add", "schedule": 60}}
    app.schedule.add("mine", "add", 60)
    start(app).leads().stop()
    assert sorted(names(app)) == ["a", "mine"]
    assert str(app.schedule["a"].entry.schedule) == "every 1 min"


def test_apps_on_one_broker_have_schedules_and_leaders_of_their_own(app, start):
    other = Umbel("other", broker=app.conf.broker_url, task_default_queue="others", set_as_current=False)
    app.conf.beat_schedule = {"clean": {"task": "add", "schedule": 0.1, "args": (1,)}}
    other.conf.beat_schedule = {"clean": {"task": "sweep", "schedule": 0.1, "args": (BeatLazyFunc(int),)}}
    running = [start(app).leads(), start(other).leads()]
    until(lambda: waiting(app) >= 3 and waiting(app, "others") >= 3)
    for each in running:
        each.stop()
    assert {each["task"] for each in drain(app)} == {"add"}
    assert {each["task"] for each in drain(app, "others")} == {"sweep"}
    assert app.schedule["clean"].entry.task == "add"
    other.close()


def test_a_name_with_marks_in_it_shares_no_firings_with_another(app, start):
    other = Umbel("proj:x", broker=app.conf.broker_url, task_default_queue="others", set_as_current=False)
    begin = clock.now() + factor()  # both beats will have begun by then
    for each, name in ((app, "x:clean"), (other, "clean")):
        each.schedule.add(name, "add", 0.1)
        each.schedule_store.tick([Ticks(name, begin, 0)])
    running = [start(app), start(other)]
    until(lambda: waiting(app) >= 3 and waiting(app, "others") >= 3)
    for each in running:
        each.stop()
    for dues in ([each["due"] for each in drain(app)], [each["due"] for each in drain(other, "others")]):
        assert dues == chain(begin + 0.1, 0.1, len(dues))
    other.close()


def test_the_code_of_the_beat_that_leads_counts_and_another_says_what_it_would_have(app, start, caplog, monkeypatch):
    monkeypatch.setattr("umbel.beat.beat.CALM", 0.1)
    caplog.set_level(logging.INFO, "umbel.beat")
    old = {"task": "add", "schedule": 3600}
    app.conf.beat_schedule = {"same": old, "changed": old, "left": old}
    first = start(app).leads()
    newer = Umbel("proj", broker=app.conf.broker_url, set_as_current=False)
    newer.conf.beat_schedule = {"same": old, "changed": {**old, "schedule": 60}, "new": old}
    second = start(newer)
    until(lambda: "its code differs" in caplog.text)
    (told,) = (record.getMessage() for record in caplog.records if "its code differs" in record.getMessage())
    assert f"The beat {first.beat.owner} leads, and its code differs from this one's in entries 'changed', 'left', 'new'." in told
    assert sorted(names(app)) == ["changed", "left", "same"]
    first.stop()
    second.leads()
    assert sorted(names(app)) == ["changed", "new", "same"]
    assert str(app.schedule["changed"].entry.schedule) == "every 1 min"
    second.stop()
    newer.close()


def test_a_beat_that_follows_with_the_same_code_has_nothing_to_say(app, start, caplog, monkeypatch):
    monkeypatch.setattr("umbel.beat.beat.CALM", 0.1)
    caplog.set_level(logging.INFO, "umbel.beat")
    app.conf.beat_schedule = {"a": {"task": "add", "schedule": 60}, "b": {"task": "add", "schedule": 60, "args": (object,)}}
    app.schedule.add("mine", "add", 60)
    first = start(app).leads()
    second = start(app)
    until(lambda: f"beat: {first.beat.owner} leads; this one waits for its place" in caplog.text)
    until(lambda: second.beat._compare_at == math.inf)
    assert "its code differs" not in caplog.text


def test_what_was_sent_is_noted_before_anything_else_is_done(app, start):
    app.add_periodic_task(0.2, app.tasks["add"].s(), name="a")
    running = start(app).leads()
    until(lambda: waiting(app) >= 2)
    running.beat._duty.look = lambda: None  # what would note it half a second later
    sent = waiting(app)
    until(lambda: waiting(app) > sent)
    until(lambda: app.schedule["a"].count == waiting(app))


def test_of_two_beats_one_leads_and_the_other_takes_over(app, start):
    app.add_periodic_task(0.2, app.tasks["add"].s(), name="often")
    first = start(app).leads()
    second = start(app)
    until(lambda: waiting(app) >= 3)
    assert not second.beat.leads
    assert app.schedule.leader().owner == first.beat.owner
    first.stop()
    second.leads()
    sent = waiting(app)
    until(lambda: waiting(app) >= sent + 3)
    second.stop()
    assert app.schedule.leader() is None
    dues = [each["due"] for each in drain(app)]
    assert dues == chain(dues[0], 0.2, len(dues))


def test_a_schedule_that_takes_longer_to_read_than_a_lease_lasts_is_led_all_the_same(app, start, monkeypatch):
    monkeypatch.setattr("umbel.beat.beat.LEASE", 1.5)
    monkeypatch.setattr("umbel.beat.beat.RENEWAL", 0.2)
    for place in ("umbel.beat.agenda", "umbel.client.periodic.timetable"):
        monkeypatch.setattr(f"{place}.PAGE", 1)
    real = Agenda._plan

    def slowly(agenda, row):
        time.sleep(0.15)
        return real(agenda, row)

    monkeypatch.setattr(Agenda, "_plan", slowly)
    app.conf.beat_schedule = {f"e{n}": {"task": "add", "schedule": 0.1} for n in range(15)}
    for _ in range(2):
        start(app)
    until(lambda: waiting(app) >= 15)


def test_edits_act_within_a_second(app, start):
    start(app).leads()
    began = pace()
    app.schedule.add("new", "add", 0.1, (1, 2))
    until(lambda: waiting(app) >= 1)
    assert pace() - began < 1.5, "the promise is a second; the rest is for a busy machine"
    app.schedule.disable("new")
    until(lambda: not app.schedule["new"].enabled)
    time.sleep(1)
    sent = waiting(app)
    time.sleep(0.5)
    assert waiting(app) == sent
    app.schedule.change("new", args=(3, 4))
    app.schedule.enable("new")
    until(lambda: waiting(app) > sent)
    assert [each["args"] for each in drain(app)][-1] == [3, 4]
    app.schedule.remove("new")
    assert "new" not in app.schedule


def test_an_entry_can_be_run_at_once(app):
    app.schedule.add("later", "add", 3600, (1, 2), priority=7)
    before = app.schedule["later"].next
    result = app.schedule.run_now("later")
    (found,) = drain(app)
    assert (found["id"], found["args"], found["priority"]) == (result.id, [1, 2], 7)
    assert found["periodic_task_name"] == "later"
    assert app.schedule["later"].next == before


@pytest.mark.parametrize(
    "words", [{"args": "abc"}, {"args": {"a": 1}}, {"args": {1}}, {"args": 5}, {"kwargs": 5}, {"options": "x"}]
)
def test_what_an_entry_is_to_be_called_with_is_listed_or_named(app, words):
    app.task(lambda *args, **kwargs: None, name="f")
    app.schedule.add("fine", "f", 5, (number for number in range(2)))
    (word,) = words
    with pytest.raises(ImproperlyConfigured, match=f"its {word} are .*; they should be a "):
        app.schedule.change("fine", **words)
    app.conf.beat_schedule = {"odd": {"task": "f", "schedule": 5, **words}}
    assert f"its {word} are" in app.schedule.as_dict()["wrong"]["odd"]
    if word != "options":
        with pytest.raises(ImproperlyConfigured, match=f"its {word} are"):
            app.schedule.add("odd", "f", 5, **words)
    assert app.schedule.change("fine", args=None).args == ()
    assert [entry["name"] for entry in app.schedule.as_dict()["entries"]] == ["fine"]


def test_enabled_is_true_or_false_and_names_of_options_are_text(app):
    app.task(lambda *args, **kwargs: None, name="f")
    with pytest.raises(ImproperlyConfigured, match="its enabled is 'no'"):
        app.schedule.add("odd", "f", 5, enabled="no")
    app.conf.beat_schedule = {"odd": {"task": "f", "schedule": 5, "options": {1: 2}}}
    assert app.schedule.as_dict()["wrong"] == {"odd": "the names of its options must be text"}


def test_an_entry_that_cannot_be_is_refused(app):
    app.schedule.add("there", "add", 60)
    with pytest.raises(ImproperlyConfigured, match="there is an entry 'there' already"):
        app.schedule.add("there", "add", 60)
    with pytest.raises(ImproperlyConfigured, match="crontab"):
        app.schedule.add("new", "add", "61 * * * *")
    with pytest.raises(TypeError, match="add"):
        app.schedule.add("new", "add", 60, (1, 2, 3))
    with pytest.raises(ImproperlyConfigured, match="Mars"):
        app.schedule.add("new", "add", 60, timezone="Mars/Olympus")
    with pytest.raises(ImproperlyConfigured, match="catch_up"):
        app.schedule.add("new", "add", 60, catch_up="often")
    with pytest.raises(ImproperlyConfigured, match="no entry 'nothing'"):
        app.schedule.change("nothing", schedule=3)
    assert sorted(names(app)) == ["there"]


def test_what_the_code_names_is_changed_in_the_code(app):
    app.add_periodic_task(60, app.tasks["add"].s(), name="mine")
    app.schedule.save_named()
    for change in (lambda: app.schedule.change("mine", schedule=3), lambda: app.schedule.remove("mine")):
        with pytest.raises(ImproperlyConfigured, match="named in the code of proj"):
            change()
    app.schedule.disable("mine")
    app.schedule.save_named()
    assert not app.schedule["mine"].enabled, "a restart does not switch it on again"


def test_the_code_may_say_that_an_entry_is_off(app):
    app.conf.beat_schedule = {"a": {"task": "add", "schedule": 60, "enabled": False}}
    app.schedule.save_named()
    assert not app.schedule["a"].enabled


class Untold(BaseSchedule):
    def __reduce__(self):
        raise RuntimeError("nobody is told")


def test_wrong_entries_are_told_and_the_others_run(app, start, caplog):
    app.conf.beat_schedule = {
        "cron": {"task": "add", "schedule": "0 25 * * *"},
        "typo": {"task": "add", "shedule": 10},
        "empty": {"schedule": 10},
        "args": {"task": "add", "schedule": 10, "args": (1, 2, 3)},
        "object": {"task": "add", "schedule": 10, "args": (object(),)},
        "zone": {"task": "add", "schedule": 10, "timezone": "Nowhere"},
        "number": 5,
        "options": {"task": "add", "schedule": 10, "options": ["queue"]},
        "expires": {"task": "add", "schedule": 10, "options": {"expires": "soon"}},
        "queue": {"task": "add", "schedule": 10, "options": {"queue": object()}},
        "headers": {"task": "add", "schedule": 10, "options": {"headers": 5}},
        "no headers": {"task": "add", "schedule": 10, "options": {"headers": ""}},
        "id": {"task": "add", "schedule": 10, "options": {"task_id": 0}},
        "unkept": {"task": "add", "schedule": Untold()},
        "lone\ud800": {"task": "add", "schedule": 10},
        **{f"strange{n}": {"task": "elsewhere.task", "schedule": 0.1, "options": {"queue": "strange"}} for n in range(1002)},
        "good": {"task": "add", "schedule": 0.1},
    }
    caplog.set_level(logging.WARNING, "umbel")
    start(app)
    until(lambda: waiting(app) and waiting(app, "strange"))
    told = {record.args[0]: record.getMessage() for record in caplog.records if record.name == "umbel.beat"}
    wrong = ["args", "cron", "empty", "expires", "headers", "id", "lone\ud800", "no headers", "number", "object", "options"]
    assert sorted(told) == sorted([*wrong, "queue", "typo", "unkept", "zone", "elsewhere.task"])
    assert "headers must be a mapping, not 5" in told["headers"]
    assert "its options are ['queue']; they should be a dict" in told["options"]
    assert "expires must be a number of seconds, a datetime or a time in ISO 8601, not 'soon'" in told["expires"]
    assert "RuntimeError: nobody is told" in told["unkept"]
    assert "'shedule'; did you mean 'schedule'?" in told["typo"]
    assert "it has no 'task'" in told["empty"]
    assert told["elsewhere.task"] == (
        "The task 'elsewhere.task' of entries 'strange0', 'strange1', 'strange2', 'strange3', 'strange4' and 997 more "
        "is not known to this app: it is sent all the same"
    )
    assert "object" in told["object"]


def test_an_entry_that_has_become_wrong_is_not_sent_as_it_was_and_goes_on_once_it_is_right(app, start, caplog):
    right, wrong = {"task": "add", "schedule": 0.1}, {"task": "add", "schedule": 0.1, "args": (1, 2, 3)}
    for entry in (right, wrong):
        app.conf.beat_schedule = {"a": entry, "b": {**right, "options": {"queue": "other"}}}
        running = start(app).leads()
        found = waiting(app, "other")
        until(lambda found=found: waiting(app, "other") >= found + 3)
        running.stop()
        sent = app.schedule["a"].count
        if entry is right:
            assert drain(app)
    assert "Entry 'a' is not sent: add: too many" in caplog.text
    assert drain(app) == []
    app.conf.beat_schedule = {"a": right}
    running = start(app).leads()
    until(lambda: app.schedule["a"].count > sent)
    running.stop()


def test_lazy_arguments_are_made_for_each_message(app, start):
    count = iter(range(1000))
    lazy = {"task": "add", "schedule": 0.1, "args": (BeatLazyFunc(lambda: next(count)),), "kwargs": {"y": BeatLazyFunc(int, "5")}}
    app.conf.beat_schedule = {"lazy": lazy}
    start(app)
    until(lambda: waiting(app) >= 3)
    found = drain(app)
    assert [each["args"] for each in found] == [[number] for number in range(len(found))]
    assert all(each["kwargs"] == {"y": 5} for each in found)
    assert app.schedule["lazy"].problem is None


def test_an_argument_that_fails_is_told_and_the_others_run(app, start, caplog):
    app.conf.beat_schedule = {
        "bad": {"task": "add", "schedule": 0.1, "args": (BeatLazyFunc(lambda: 1 / 0),)},
        "good": {"task": "add", "schedule": 0.1},
    }
    start(app)
    until(lambda: waiting(app) >= 3)
    assert "Entry 'bad': its message of" in caplog.text
    until(lambda: caplog.text.count("Entry 'bad': its message of") >= 3)
    assert caplog.text.count("Traceback") == 1, "each firing that is lost is told, but where it fails only once"
    assert "ZeroDivisionError" in caplog.text


class Twice(BaseSchedule):
    """A schedule that tells nobody how to keep it."""

    def remaining_estimate(self, last_run_at):
        return maybe_schedule(1).remaining_estimate(last_run_at)


def test_a_schedule_that_cannot_be_kept_is_taken_from_the_code(app, start):
    app.conf.beat_schedule = {"own": {"task": "add", "schedule": Twice()}}
    start(app)
    until(lambda: waiting(app) >= 1)
    assert app.schedule["own"].problem is None
    stranger = Umbel("proj", broker=app.conf.broker_url, set_as_current=False)
    assert "only the code that names it" in stranger.schedule["own"].problem
    stranger.close()


def test_options_and_routes_of_tasks_count(app, start):
    app.conf.task_routes = {"add": {"queue": "routed"}}
    app.add_periodic_task(0.1, app.tasks["add"].s().set(priority=3), name="a")
    start(app)
    until(lambda: waiting(app, "routed"))
    assert drain(app, "routed")[0]["priority"] == 3


def test_those_who_listen_to_what_is_sent_hear_of_it_and_may_change_it(app, start):
    heard = []

    @signals.before_task_publish.connect
    def before(sender, headers, body, **more):
        headers["trace"] = "t1"
        heard.append(("before", sender, body[0]))

    @signals.after_task_publish.connect
    def after(sender, headers, **more):
        heard.append(("after", sender, headers["trace"]))

    app.add_periodic_task(0.1, app.tasks["add"].s(1), name="a")
    try:
        start(app)
        until(lambda: len(heard) >= 2)
    finally:
        signals.before_task_publish.disconnect(before)
        signals.after_task_publish.disconnect(after)
    assert heard[:2] == [("before", "add", [1]), ("after", "add", "t1")]
    assert drain(app)[0]["trace"] == "t1"


def test_signals_tell_that_a_beat_begins(app, start):
    heard = []
    receivers = [signals.beat_init.connect(lambda sender, **_: heard.append(("init", sender)), weak=False)]
    receivers.append(signals.beat_embedded_init.connect(lambda sender, **_: heard.append(("embedded", sender)), weak=False))
    try:
        running = start(app, embedded=True).leads()
    finally:
        signals.beat_init.disconnect(receivers[0])
        signals.beat_embedded_init.disconnect(receivers[1])
    assert heard == [("init", running.beat), ("embedded", running.beat)]


def test_what_is_due_while_the_broker_is_away_is_sent_when_it_is_back(app, start, caplog, monkeypatch):
    monkeypatch.setattr("umbel.beat.dispatch.PAUSE", 0.1)
    real, away = app.broker.send_once, [True]

    def send_once(messages):
        if away[0]:
            raise BrokerDown("nobody answers")
        return real(messages)

    monkeypatch.setattr(app.broker, "send_once", send_once)
    app.add_periodic_task(0.2, app.tasks["add"].s(), name="a")
    caplog.set_level(logging.INFO, "umbel.beat")
    start(app)
    until(lambda: "The broker is away: nobody answers" in caplog.text)
    time.sleep(0.5)
    assert "Sending due task" not in caplog.text
    away[0] = False
    until(lambda: waiting(app) >= 4)
    until(lambda: "The broker is back" in caplog.text)
    dues = [each["due"] for each in drain(app)]
    assert dues == chain(dues[0], 0.2, len(dues))
    assert caplog.text.count("is away") == 1
    until(lambda: caplog.text.count("Sending due task a (add)") >= len(dues))  # told once they are sent


def test_a_message_that_the_broker_refuses_stops_no_other(app, start, caplog, monkeypatch):
    real = app.broker.send_once

    def send_once(messages):
        if any(b"bad" in message.envelope.body for message in messages):
            raise BrokerRefused("too bad")
        return real(messages)

    monkeypatch.setattr(app.broker, "send_once", send_once)
    app.conf.beat_schedule = {
        "bad": {"task": "add", "schedule": 0.1, "args": ("bad",)},
        "good": {"task": "add", "schedule": 0.1, "args": (1,)},
    }
    start(app)
    until(lambda: waiting(app) >= 3)
    assert "Entry 'bad': the broker refuses its message: too bad" in caplog.text


def test_a_store_that_is_away_is_waited_for(app, start, caplog, monkeypatch):
    store, away = app.schedule_store, [True]
    real = store.changes

    def changes(after=0):
        if away[0]:
            raise BrokerDown("nobody answers")
        return real(after)

    monkeypatch.setattr(store, "changes", changes)
    app.add_periodic_task(0.1, app.tasks["add"].s(), name="a")
    start(app)
    until(lambda: "The schedule store is away: nobody answers" in caplog.text)
    away[0] = False
    until(lambda: waiting(app) >= 2)
    assert caplog.text.count("is away") == 1
    assert "The schedule store is back" in caplog.text


def test_a_failure_that_nobody_thought_of_does_not_end_a_beat_that_has_led(app, start, caplog, monkeypatch):
    app.schedule.add("a", "add", 0.1)
    running = start(app).leads()
    real, fails = app.schedule_store.changes, [True]

    def changes(after=0):
        if fails[0]:
            raise RuntimeError("out of the blue")
        return real(after)

    monkeypatch.setattr(app.schedule_store, "changes", changes)
    until(lambda: "out of the blue" in caplog.text)
    sent = waiting(app)
    until(lambda: waiting(app) > sent + 3)
    fails[0] = False
    app.schedule.add("b", "add", 0.1, queue="other")
    until(lambda: waiting(app, "other"))
    running.stop()


def test_a_store_that_goes_away_while_it_is_read_anew_is_read_when_it_is_back(app, start, caplog, monkeypatch):
    app.add_periodic_task(0.1, app.tasks["add"].s(), name="a")
    store = app.schedule_store
    start(app).leads()
    until(lambda: waiting(app))
    real, down = store.changes, [3]

    def changes(after=0):
        if down[0] == 3:
            store.remove(["a"])
        down[0] -= 1
        if 0 <= down[0] < 2:
            raise BrokerDown("nobody answers")
        return real(0) if down[0] == 2 else real(after)  # the whole schedule, as from a store that has lost it

    monkeypatch.setattr(store, "changes", changes)
    until(lambda: "is away" in caplog.text)
    sent = waiting(app)
    until(lambda: waiting(app) > sent + 3)
    until(lambda: "is back" in caplog.text)
    assert "Traceback" not in caplog.text


def test_a_store_that_stays_away_is_told_once_by_who_waits_for_the_lead_too(app, start, caplog, monkeypatch):
    monkeypatch.setattr("umbel.beat.beat.RENEWAL", 0.2)
    monkeypatch.setattr("umbel.beat.beat.LOOK", 0.05)  # several looks for each word with the store
    asked = []

    def lead(owner, seconds):
        asked.append(owner)
        raise BrokerDown("nobody answers")

    monkeypatch.setattr(app.schedule_store, "lead", lead)
    running = start(app)
    until(lambda: len(asked) >= 4)
    running.stop()
    assert caplog.text.count("is away") == 1
    assert "is back" not in caplog.text


def test_after_a_pause_the_newest_of_what_was_missed_is_sent(app, start, moved):
    app.add_periodic_task(crontab(minute=0), app.tasks["add"].s("once"), name="once")
    app.add_periodic_task(crontab(minute=0), app.tasks["add"].s("skip"), name="skip", catch_up="skip")
    app.add_periodic_task(crontab(minute=0), app.tasks["add"].s("three"), name="three", catch_up=3)
    start(app).leads().stop()
    passed = clock.now() % 3600
    moved(5 * 3600 + 1800 - passed)
    start(app)
    until(lambda: waiting(app) >= 4)
    found = drain(app)
    now = clock.now()
    hours = sorted((each["args"][0], round((now - each["due"]) // 3600)) for each in found)
    assert hours == [("once", 0), ("three", 0), ("three", 1), ("three", 2)]


def test_a_clock_that_is_put_forward_makes_up_for_what_it_passed_over(app, start, moved, caplog):
    app.add_periodic_task(3600, app.tasks["add"].s(), name="a")
    start(app).leads()
    moved(3600 + 60)
    until(lambda: waiting(app) == 1)
    until(lambda: re.search(r"The system's clock went forward by 36(59|60)\.\d s", caplog.text))


def test_a_clock_that_is_put_back_sends_nothing_twice(app, start, moved, caplog):
    app.add_periodic_task(0.2, app.tasks["add"].s(), name="a")
    start(app)
    until(lambda: waiting(app) >= 3)
    moved(-2.5)
    until(lambda: re.search(r"The system's clock went back by 2\.[45] s", caplog.text))
    sent = waiting(app)
    until(lambda: waiting(app) > sent + 2)
    dues = [each["due"] for each in drain(app)]
    assert dues == sorted(set(dues))


def test_a_clock_that_was_years_ahead_does_not_stop_an_entry_for_years(app, start, moved):
    app.add_periodic_task(0.2, app.tasks["add"].s(), name="a")
    moved(10 * 365 * 86400)
    beat = start(app)
    until(lambda: waiting(app) >= 1)
    beat.stop()
    moved(-10 * 365 * 86400)
    sent = waiting(app)
    start(app)
    until(lambda: waiting(app) > sent + 2)


def test_a_decorated_function_becomes_a_task_that_is_sent(app, start):
    @app.periodic(0.1, args=(3,), queue="q", catch_up="skip")
    def tell(x):
        return x

    @app.periodic(crontab(hour=4, minute=0), name="nightly")
    @app.task(name="named")
    def other():
        return 5

    assert (tell(2), other(), other.name) == (2, 5, "named")
    start(app)
    until(lambda: waiting(app, "q"))
    found = drain(app, "q")[0]
    assert (found["task"], found["args"]) == (tell.name, [3])
    assert sorted(app.conf.beat_schedule) == ["nightly", tell.name]
    assert app.schedule[tell.name].entry.catch_up == "skip"


@pytest.mark.parametrize("is_configured", [False, True])
def test_an_entry_that_takes_the_place_of_another_is_told(is_configured):
    app = Umbel("twice", broker="memory://", set_as_current=False)
    if is_configured:
        assert app.tasks is not None
    call = app.signature("t", (1,))
    for _ in range(2):
        app.add_periodic_task(5, call)  # the same again is no other
    with pytest.warns(UserWarning, match=r"there is an entry 't\(1\)' already, and this one takes its place"):
        app.add_periodic_task(10, call)
    app.add_periodic_task(5, call, name="own")
    assert {name: words["schedule"] for name, words in app.conf.beat_schedule.items()} == {"t(1)": 10, "own": 5}
    app.close()


def test_entries_may_be_added_when_the_app_is_configured_or_complete(tmp_path):
    app = Umbel("late", broker=f"sqlite:///{tmp_path}/q.db", set_as_current=False)
    app.add_periodic_task(5, app.signature("early"), name="before")

    @app.on_after_configure.connect
    def configured(sender, **more):
        sender.add_periodic_task(10, sender.signature("a", (1,)), args=(0,), name="configured")

    @app.on_after_finalize.connect
    def complete(sender, **more):
        sender.add_periodic_task(crontab(), sender.signature("b", kwargs={"x": 1}), kwargs={"y": 2})

    assert app.tasks is not None
    assert app.conf.beat_schedule["configured"] == {
        "task": "a",
        "schedule": 10,
        "args": (0, 1),
        "kwargs": {},
        "options": {},
    }
    assert sorted(app.conf.beat_schedule) == ["b(x=1, y=2)", "before", "configured"]
    app.close()


def test_a_beat_leaves_no_open_files(app, start):
    start(app).leads().stop()
    gc.collect()  # what another test has left for it to close
    before = len(os.listdir("/proc/self/fd"))
    start(app).leads().stop()
    assert len(os.listdir("/proc/self/fd")) == before
