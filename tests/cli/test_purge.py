from __future__ import annotations

import time

from tests.cli.project import Project


def left(project: Project) -> dict[str, int]:
    broker = project.broker()
    depths = broker.depth(["celery", "mail"])
    broker.close()
    return {name: depth.ready + depth.later for name, depth in depths.items()}


def test_where_nobody_can_answer_nothing_is_deleted_without_force(project: Project) -> None:
    project.send("proj.add", "proj.add")
    done = project.umbel("purge")
    assert done.code == 64
    assert "Delete 2 tasks from celery" in done.err
    assert "--force" in done.err
    assert left(project)["celery"] == 2


def test_with_force_what_waits_is_deleted(project: Project) -> None:
    project.send("proj.add")
    project.send("proj.add", due=time.time() + 1000)
    assert project.umbel("purge", "-f").out == "deleted 2 tasks from celery\n"
    assert left(project)["celery"] == 0


def test_queues_that_the_settings_do_not_name_are_not_touched(project: Project) -> None:
    project.send("proj.add")
    project.send("proj.add", queue="mail")
    assert "not touched, since the settings do not name them: mail" in project.umbel("purge", "-f").out
    assert left(project) == {"celery": 0, "mail": 1}
    assert project.umbel("purge", "-f", "-Q", "mail").out == "deleted 1 task from mail\n"
    assert left(project)["mail"] == 0


def test_excluded_queues_stay(project: Project) -> None:
    project.send("proj.add")
    assert project.umbel("purge", "-f", "-X", "celery").out.startswith("nothing was waiting")
    assert left(project)["celery"] == 1


def test_an_empty_queue_is_no_question(project: Project) -> None:
    done = project.umbel("purge")
    assert done.code == 0
    assert done.out.startswith("nothing was waiting")


def test_quiet_says_nothing(project: Project) -> None:
    project.send("proj.add")
    assert project.umbel("-q", "purge", "-f").out == ""
