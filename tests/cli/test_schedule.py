from __future__ import annotations

import json
import re
import time

import pytest
from tests.cli.project import Project

from umbel import Umbel
from umbel.stores.schedule import Ticks

CODE = """
from umbel import Umbel
from umbel.schedules import crontab

app = Umbel("proj", broker="sqlite:///q.db", timezone="Europe/Paris")


@app.task(name="add")
def add(x=0, y=0):
    return x + y


app.add_periodic_task(crontab(minute=30, hour=4, day_of_week="mon"), add.s(1), name="report", timezone="Asia/Tokyo")
app.conf.beat_schedule["broken"] = {"task": "add", "schedule": "0 25 * * *"}
"""


@pytest.fixture
def app(project: Project):
    project.write(CODE)
    made = Umbel("proj", broker=f"sqlite:///{project.folder}/q.db", set_as_current=False)
    yield made
    made.close()


def test_it_needs_an_app_to_know_whose_schedule_it_is(project: Project) -> None:
    done = project.bare("schedule")
    assert (done.code, done.err) == (64, "umbel: which app? Name it with -A (umbel -A proj schedule) or in UMBEL_APP\n")


def test_an_empty_schedule_says_so(project: Project) -> None:
    done = project.umbel("schedule")
    assert done.code == 0
    assert done.out == (
        f"nothing is scheduled at sqlite:///{project.folder}/q.db\n"
        f"no beat runs, so nothing is sent: umbel -A {project.name} beat\n"
    )


def test_entries_are_added_shown_switched_and_removed(project: Project, app: Umbel) -> None:
    done = project.umbel("schedule", "add", "often", "add", "--every", "15m", "-a", "[1, 2]", "--queue", "q", "--priority", "3")
    assert re.fullmatch(r"added often: every 15 min, first at \S.*\n", done.out)
    project.umbel(
        "schedule", "add", "daily", "add", "--cron", "@daily", "--zone", "Asia/Tokyo", "--catch-up", "skip", "--disabled"
    )
    project.umbel("schedule", "add", "once", "add", "--at", "2090-01-31T12:00:00", "-k", '{"x": 1}')
    found = {line.name: line for line in app.schedule}
    assert sorted(found) == ["daily", "often", "once"]
    assert (found["often"].entry.args, found["often"].entry.options) == ((1, 2), {"queue": "q", "priority": 3})
    assert (found["daily"].enabled, found["daily"].entry.catch_up, found["daily"].entry.timezone) == (False, "skip", "Asia/Tokyo")
    assert found["once"].entry.kwargs == {"x": 1}
    out = project.umbel("schedule").out
    assert re.search(r"^daily +add +at 00:00 every day \(Asia/Tokyo\) +- +off +0$", out, re.MULTILINE)
    assert re.search(r"^once +add +once, at 2090-01-31 12:00:00\S* +- +2090-01-31 12:00 +0$", out, re.MULTILINE)
    assert project.umbel("schedule", "enable", "daily").out == "enabled daily\n"
    assert project.umbel("schedule", "disable", "often", "once").out == "disabled often, once\n"
    assert [line.name for line in app.schedule if line.enabled] == ["daily"]
    assert project.umbel("schedule", "remove", "often", "once").out == "removed often, once\n"
    assert [line.name for line in app.schedule] == ["daily"]


def test_what_was_sent_and_who_sends_is_told(project: Project, app: Umbel) -> None:
    app.schedule.add("often", "add", 3600)
    app.schedule_store.tick([Ticks("often", time.time() - 5, 1234)])
    app.schedule_store.lead("box-1-abc", 60)
    out = project.umbel("schedule").out
    assert re.search(r"^often +add +every 1 h +\S.*1,234$", out, re.MULTILINE)
    assert "sent by box-1-abc; zone Europe/Paris where an entry has none of its own; last and next by" in out


@pytest.mark.parametrize("name", ["[/odd]", "[bold]x[/]", "nö", "two\nlines", "\x1b[31mred"])
def test_any_name_is_shown_as_it_is(project: Project, app: Umbel, name: str) -> None:
    app.schedule.add(name, "add", 3600)
    done = project.umbel("schedule")
    shown = name.replace("\n", "\\n").replace("\x1b", "\\x1b")
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"^{re.escape(shown)} +add +every 1 h ", done.out, re.MULTILINE)
    assert project.umbel("schedule", "remove", name).code == 0


def test_what_is_wrong_in_the_code_is_told(project: Project, app: Umbel) -> None:
    out = project.umbel("schedule").out
    assert "named in the code and not saved yet: report; a beat does that when it leads\n" in out
    assert "not sent: broken: crontab field hour = '25': 25 is not in 0-23" in out


def test_the_next_firings_of_an_entry_are_told(project: Project, app: Umbel) -> None:
    app.schedule.add("hourly", "add", "0 * * * *")
    lines = project.umbel("schedule", "--next", "3", "hourly").out.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r"\w{3} \d{4}-\d\d-\d\d \d\d:00:00 \S+", line) for line in lines)


def test_it_speaks_json(project: Project, app: Umbel) -> None:
    app.schedule.add("hourly", "add", "0 * * * *", (1,))
    found = json.loads(project.umbel("schedule", "-j").out)
    assert (found["leader"], found["timezone"], list(found["wrong"])) == (None, "Europe/Paris", ["broken"])
    (entry,) = found["entries"]
    assert (entry["name"], entry["task"], entry["when"], entry["args"]) == ("hourly", "add", "every 60 minutes", "(1,)")
    assert app.control.schedule()["entries"] == found["entries"]
    assert len(json.loads(project.umbel("schedule", "--next", "2", "hourly", "-j").out)) == 2


def test_an_entry_is_run_at_once(project: Project, app: Umbel) -> None:
    app.schedule.add("hourly", "add", "0 * * * *", (1,))
    id_ = project.umbel("schedule", "run", "hourly").out.strip()
    broker = project.broker()
    (held,) = broker.reserve(["celery"], 10, 1.0)
    assert held.envelope.id == id_
    broker.close()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "a", "add"), 64, "say when: one of --cron, --every and --at"),
        (("add", "a", "add", "--every", "5", "--cron", "@daily"), 64, "say when: one of"),
        (("add", "a", "add", "--every", "soon"), 64, "'soon' is no duration; write it as 30, 90s, 15m, 2h or 1d"),
        (("add", "a", "add", "--cron", "1 2 3"), 1, "it needs five"),
        (("add", "a", "add", "--at", "2001-01-01T00:00:00"), 1, "entry 'a' would never fire"),
        (("add", "a", "add", "--at", "soon"), 64, "'soon' is no time"),
        (("add", "a", "add", "--every", "5", "--zone", "Mars"), 1, "Mars"),
        (("add", "a", "add", "--every", "5", "--catch-up", "often"), 64, "neither once, nor skip, nor a number"),
        (("add", "a", "add", "--every", "5", "-a", "[1, 2, 3]"), 1, "umbel: add: "),
        (("remove", "nothing"), 1, "there is no entry 'nothing'"),
        (("run", "nothing"), 1, "there is no entry 'nothing'"),
        (("--next", "3", "nothing"), 1, "there is no entry 'nothing'"),
        (("remove", "report"), 1, "named in the code of proj"),
        (("nosuch",), 64, "no such command"),
    ],
)
def test_what_cannot_be_done_is_one_line(project: Project, app: Umbel, words: tuple[str, ...], code: int, told: str) -> None:
    if "report" in words:
        definition = b'{"task":"add","schedule":{"kind":"crontab"},"origin":"proj"}'
        app.schedule_store.save([("report", definition)])
    done = project.umbel("schedule", *words)
    assert done.code == code, done.err
    assert told in done.err
    assert done.err.count("\n") == 1


def test_one_row_that_was_broken_by_hand_hides_no_other(app: Umbel, project: Project) -> None:
    good = b'{"task":"add","schedule":{"kind":"schedule","args":[60,false]}}'
    broken = {
        "letters": good[:-1] + b',"args":"abc"}',
        "far": good[:-1] + b',"start":1e300}',
        "options": good[:-1] + b',"options":{"queue":5}}',
        "zone": good[:-1] + b',"timezone":[1]}',
    }
    app.schedule_store.save([("good", good), *broken.items()])
    app.schedule_store.tick([Ticks("good", time.time() + 1e6, 1)])  # by a clock that was wrong: beats pass over it
    shown = project.umbel("schedule")
    assert shown.code == 0, shown.err
    assert re.search("^cannot be read here: zone: .*unhashable", shown.out, re.MULTILINE)
    assert re.search("^cannot be read here: letters: .*abc", shown.out, re.MULTILINE)
    line = app.schedule["good"]
    assert line.next is not None
    assert line.next < time.time() + 61
    assert project.umbel("schedule", "run", "options").err == "umbel: add: queue must be the name of a queue, not 5\n"
