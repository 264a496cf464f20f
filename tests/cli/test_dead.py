from __future__ import annotations

import json

import pytest
from tests.cli.project import Project


def keys(project: Project) -> list[str]:
    broker = project.broker()
    found = [letter.key for letter in broker.buried()]
    broker.close()
    return found


def test_without_a_command_the_help_is_shown(project: Project) -> None:
    done = project.umbel("dead")
    assert (done.code, done.err) == (64, "")
    assert "Delete dead tasks for good." in done.out


def test_the_app_may_be_named_anywhere(project: Project) -> None:
    words = ["dead", "list"]
    for place in range(3):
        done = project.bare(*words[:place], "-A", project.name, *words[place:])
        assert (done.code, done.err) == (0, "")


def test_no_dead_tasks_are_told(project: Project) -> None:
    assert project.umbel("dead", "list").out.startswith("no dead tasks at sqlite://")
    assert project.umbel("dead", "list", "-Q", "mail").out.startswith("no dead tasks in queue 'mail' at")


def test_dead_tasks_are_listed_with_their_reason(project: Project) -> None:
    ids = project.bury("proj.gone", reason="no worker knows it")
    head, row = project.umbel("dead", "list").out.splitlines()
    assert head.split() == ["key", "queue", "task", "id", "when", "attempts", "reason"]
    assert keys(project)[0] in row
    assert f"proj.gone  {ids[0]}" in row
    assert row.endswith("no worker knows it")


def test_programs_read_json(project: Project) -> None:
    ids = project.bury("proj.gone", "proj.gone")
    read = json.loads(project.umbel("dead", "list", "-j", "-n", "1").out)
    assert [(each["id"], each["task"], each["queue"]) for each in read] == [(ids[0], "proj.gone", "celery")]


@pytest.mark.parametrize("by", ["key", "id"])
def test_one_is_shown_in_full_by_key_or_id(project: Project, by: str) -> None:
    ids = project.bury("proj.gone", "proj.other")
    shown = json.loads(project.umbel("dead", "show", ids[0] if by == "id" else keys(project)[0]).out)
    assert shown["task"] == "proj.gone"
    assert shown["args"] == [1, "two"]
    assert shown["headers"]["task"] == "proj.gone"


def test_one_that_cannot_be_read_is_shown_as_bytes(project: Project) -> None:
    from umbel.stores.broker import Conclusion
    from umbel.wire.envelope import Envelope

    broker = project.broker()
    broker.send([Envelope("id-1", "celery", b"{no json", b"{neither")])
    broker.conclude([Conclusion(held, buried="it cannot be read") for held in broker.reserve(["celery"], 1, 5.0)])
    broker.close()
    shown = json.loads(project.umbel("dead", "show", "id-1").out)
    assert shown["task"] == "?"
    assert shown["body"] == "b'{neither'"
    assert shown["unreadable"]


def test_one_is_sent_again(project: Project) -> None:
    project.bury("proj.add", "proj.add")
    assert project.umbel("dead", "retry", keys(project)[0]).out == "sent 1 task again\n"
    broker = project.broker()
    depth = broker.depth(["celery"])["celery"]
    broker.close()
    assert (depth.ready, depth.dead) == (1, 1)


def test_all_of_a_queue_are_sent_again(project: Project) -> None:
    project.bury("proj.add", "proj.add")
    project.bury("proj.add", queue="mail")
    assert project.umbel("dead", "retry", "--all", "-Q", "celery", "-f").out == "sent 2 tasks again\n"
    assert len(keys(project)) == 1


def test_one_is_dropped(project: Project) -> None:
    ids = project.bury("proj.add", "proj.add")
    assert project.umbel("dead", "drop", "-f", ids[1]).out == "deleted 1 task\n"
    assert len(keys(project)) == 1


def test_dropping_asks_first(project: Project) -> None:
    ids = project.bury("proj.add")
    done = project.umbel("dead", "drop", ids[0])
    assert done.code == 64
    assert "Delete 1 dead task for good?" in done.err
    assert keys(project)


def test_an_unknown_key_is_told_and_nothing_is_done(project: Project) -> None:
    ids = project.bury("proj.add")
    done = project.umbel("dead", "drop", "-f", ids[0], "nosuchkey")
    assert done.code == 1
    assert "no dead task nosuchkey" in done.err
    assert keys(project)


@pytest.mark.parametrize("words", [("retry",), ("drop", "--all", "some")])
def test_it_must_be_said_which(project: Project, words: tuple[str, ...]) -> None:
    done = project.umbel("dead", *words)
    assert done.code == 64
    assert "say which" in done.err


def test_thousands_are_done_in_batches(project: Project) -> None:
    project.bury(*["proj.add"] * 2500)
    assert project.umbel("dead", "drop", "--all", "-f").out == "deleted 2,500 tasks\n"
    assert keys(project) == []
