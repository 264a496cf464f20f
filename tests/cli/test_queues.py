from __future__ import annotations

import json
import time

from tests.cli.project import Project

from umbel.cli.screen import age


def test_empty_queues_are_told_with_the_place(project: Project) -> None:
    done = project.umbel("queues")
    assert done.code == 0
    _head, row, last = done.out.splitlines()
    assert row.split() == ["celery", "0", "0", "0", "0", "-"]
    assert last.startswith("nothing waits at sqlite://")
    assert project.bare("-b", f"sqlite:///{project.folder}/q.db", "queues").out == f"{last}\n"


def test_each_queue_is_a_row(project: Project) -> None:
    project.send("proj.add", "proj.add")
    project.send("proj.add", queue="mail", due=time.time() + 1000)
    project.bury("proj.add", queue="old")
    rows = [line.split() for line in project.umbel("queues").out.splitlines()]
    assert rows[0] == ["queue", "ready", "held", "later", "dead", "oldest"]
    assert rows[1][:5] == ["celery", "2", "0", "0", "0"]
    assert rows[2] == ["mail", "0", "0", "1", "0", "-"]
    assert rows[3] == ["old", "0", "0", "0", "1", "-"]
    assert rows[4][:5] == ["all", "2", "0", "1", "1"]


def test_only_the_named_queues_are_shown(project: Project) -> None:
    project.send("proj.add")
    project.send("proj.add", queue="mail")
    rows = [line.split()[0] for line in project.umbel("queues", "-Q", "mail, other").out.splitlines()]
    assert rows == ["queue", "mail", "other", "all"]


def test_programs_read_json(project: Project) -> None:
    project.send("proj.add")
    read = json.loads(project.umbel("queues", "--json").out)
    assert read["celery"].pop("oldest") >= 0
    assert read == {"celery": {"ready": 1, "held": 0, "later": 0, "dead": 0}}


def test_watching_needs_a_terminal(project: Project) -> None:
    done = project.umbel("queues", "--watch")
    assert done.code == 64
    assert "--watch needs a terminal" in done.err


def test_an_age_is_told_in_two_units_at_most() -> None:
    seconds = (None, 0.4, 59, 60, 250, 7200, 7500, 90000, 86400)
    assert [age(each) for each in seconds] == ["-", "0s", "59s", "1m", "4m 10s", "2h", "2h 5m", "1d 1h", "1d"]


def test_the_queue_of_chords_is_shown_to_who_asks_for_it(project: Project) -> None:
    project.send("celery.accumulate", queue="celery.joins")
    project.send("proj.add", queue="mail.joins")
    for shown in (project.umbel("queues").out, project.bare("-b", f"sqlite:///{project.folder}/q.db", "queues").out):
        assert "celery.joins" not in shown
        assert "mail.joins" in shown
    assert "celery.joins" in project.umbel("queues", "--all").out
    assert "celery.joins" in project.umbel("queues", "-Q", "celery.joins").out
    assert "not touched, since the settings do not name them: mail.joins (" in project.umbel("purge", "-f").out
    project.bury("celery.accumulate", queue="celery.joins")
    assert "celery.joins" in project.umbel("queues").out


def test_a_queue_of_that_name_that_the_settings_name_is_shown(project: Project) -> None:
    project.write('from umbel import Umbel\napp = Umbel("p", broker="sqlite:///q.db")\napp.conf.task_queues = ["celery.joins"]\n')
    assert "celery.joins" in project.umbel("queues").out
