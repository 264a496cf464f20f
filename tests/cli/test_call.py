from __future__ import annotations

import time

import pytest
from tests.cli.project import Done, Project

from umbel.stores.broker import Delivery
from umbel.wire import protocol

JSON = frozenset({"application/json"})


def take(project: Project, queue: str = "celery") -> Delivery:
    broker = project.broker()
    held = broker.reserve([queue], 1, 5.0)
    broker.close()
    return held[0]


def test_a_task_is_sent_and_its_id_printed(project: Project) -> None:
    name = f"{project.name}.add"
    done = project.umbel("call", name, "-a", "[2, 3]", "-k", '{"z": null}')
    message = protocol.decode(take(project).envelope, JSON)
    assert (done.code, done.out) == (0, f"{message.headers.id}\n")
    assert (message.headers.task, list(message.args), message.kwargs) == (name, [2, 3], {"z": None})


def test_an_app_that_does_not_know_the_task_sends_it_all_the_same(project: Project) -> None:
    project.bare("-b", "sqlite:///q.db", "call", "someone.elses", "--queue", "mail")
    assert protocol.headers(take(project, "mail").envelope, JSON).task == "someone.elses"


@pytest.mark.parametrize("words", [("--countdown", "1000"), ("--eta", "2999-12-31T12:00:00")])
def test_a_task_may_be_sent_for_later(project: Project, words: tuple[str, ...]) -> None:
    project.umbel("call", "proj.add", *words)
    broker = project.broker()
    assert broker.depth(["celery"])["celery"].later == 1
    broker.close()


@pytest.mark.parametrize("expires", ["60", "2999-12-31T12:00:00"])
def test_a_task_may_expire(project: Project, expires: str) -> None:
    project.umbel("call", "proj.add", "--expires", expires)
    headers = protocol.headers(take(project).envelope, JSON)
    assert headers.expires is not None
    assert headers.expires > time.strftime("%Y")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-a", "{}"), "is no list; write it as '[2, 3]'"),
        (("-a", "[1,"), "no JSON"),
        (("-k", "[]"), "is no object"),
        (("--eta", "tomorrow"), "'tomorrow' is no time"),
        (("--eta", "2999-12-31", "--countdown", "3"), "say the same"),
        *((("--countdown", odd), f"{odd!r} is no number of seconds") for odd in ("nan", "inf")),
        *((("--expires", odd), f"{odd!r} is no number of seconds") for odd in ("nan", "-inf")),
    ],
)
def test_what_cannot_be_sent_is_told_in_a_line(project: Project, words: tuple[str, ...], told: str) -> None:
    done = project.umbel("call", "proj.add", *words)
    assert done.code == 64
    assert told in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", ["call", "schedule add every-day --every 1d"])
@pytest.mark.parametrize("queue", ["", "umbel.queues"])
def test_options_that_make_no_sense_are_told_in_a_line(project: Project, command: str, queue: str) -> None:
    done = project.umbel(*command.split(), "proj.add", "--queue", queue)
    assert done.code == 1
    assert done.err.startswith("umbel: proj.add: queue ")
    assert (done.err.count("\n"), "unexpected" in done.err) == (1, False)


def test_what_has_no_name_or_id_is_told(project: Project) -> None:
    assert project.umbel("call", "") == Done(64, "", "umbel: a task has a name, and this one is empty\n")
    assert project.umbel("revoke", "a", "") == Done(64, "", "umbel: an id is empty\n")


def test_a_result_that_is_not_there_is_told(project: Project) -> None:
    sent = project.umbel("call", f"{project.name}.add", "-a", "[2, 3]").out.strip()
    done = project.umbel("result", sent)
    assert done.code == 69
    assert done.err.startswith("PENDING: ")
    before = time.monotonic()
    assert project.umbel("result", sent, "--wait", "0.2").code == 69
    assert time.monotonic() - before > 0.15


def test_an_app_without_results_says_so(project: Project) -> None:
    done = project.bare("-b", "memory://", "--result-backend", "disabled://", "result", "id-1")
    assert done.code == 1
    assert done.err.count("\n") == 1


def test_the_task_of_a_result_must_be_known(project: Project) -> None:
    done = project.umbel("result", "id-1", "-t", "proj.nosuch")
    assert done.code == 1
    assert "no task 'proj.nosuch'" in done.err
