"""`umbel inspect`, `control` and `status`: what they print of what workers answer, and their exit codes."""

from __future__ import annotations

import importlib
import json
import re
import sys
import threading
from collections.abc import Iterator

import pytest
from tests.cli.project import PROJECT, Project

from umbel import clock
from umbel.stores.schedule import Ticks
from umbel.testing.waiting import patience, until
from umbel.worker.worker import Worker

OWN = """

from umbel.worker.control import control_command, inspect_command

GATE = None

@app.task
def wait(*words, **more):
    GATE.wait()

@inspect_command(args=[("word", str), ("times", int)], signature="<word> [times=1]")
def repeated(state, word, times=1):
    "Says a word."
    return word * times

@control_command(args=[("words", str)], variadic="words")
def hear(state, words):
    return {"ok": " ".join(words)}
"""


@pytest.fixture
def worker(project: Project) -> Iterator[Worker]:
    """A worker in a thread, which serves the project's queue."""
    project.write(PROJECT + OWN)
    sys.path.insert(0, str(project.folder))
    module = importlib.import_module(project.name)
    module.GATE = threading.Event()
    ready = threading.Event()
    worker = Worker(module.app, hostname="w1@here", pool="threads", concurrency=2, ready=lambda _: ready.set())
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert ready.wait(patience())
    until(lambda: module.app.control.ping(timeout=patience()))
    yield worker
    module.GATE.set()
    worker.stop()
    thread.join(patience())
    module.app.close()


def asked(project: Project, *words: str) -> str:
    """What a command that ends well prints."""
    done = project.umbel(*words, "-t", str(patience()))
    assert (done.code, done.err) == (0, "")
    return done.out


def test_where_nobody_answers_it_is_told_with_the_place(project: Project) -> None:
    for command in ("status", "inspect ping", "inspect active --json", "control pool_grow", "control shutdown", "graph workers"):
        done = project.umbel(*command.split())
        assert done.code == 69, done
        assert done.err.startswith("umbel: no worker ")
        assert "sqlite:///" in done.err
        assert done.out == ""
    assert "of a@b, c@d has answered" in project.umbel("inspect", "ping", "-d", "a@b,c@d").err


def test_commands_that_cannot_be_are_refused_before_anybody_is_asked(project: Project) -> None:
    for command, told in {
        "inspect": "what is to be asked? active,",
        "control": "what are they to do?",
        "inspect pign": "did you mean 'ping'?",
        "inspect nonsense": "no command 'nonsense' for workers; there are active,",
        "inspect pool_grow": "'pool_grow' is for `umbel control`",
        "inspect ping twice": "'twice' is too much: write ping",
        "control pool_grow many": "n is 'many': write pool_grow [N=1]",
        "control revoke": "which tasks?",
        "control terminate SIGNONE a": "there is no signal 'SIGNONE'",
        "control revoke_by_stamped_headers a": "write name=value",
        "inspect conf perhaps": "with_defaults is 'perhaps', and should be true or false",
        "inspect ping -t 0": "0.0 is not in the range",
        "inspect ping -t nan": "'nan' is no number of seconds",
        "graph workers nodes:a threads:b": "threads:b is no number",
    }.items():
        done = project.umbel(*command.split())
        assert (done.code, told in done.err) == (64, True), done
        assert "Traceback" not in done.err


def test_what_there_is_to_ask_is_listed_without_asking_anybody(project: Project) -> None:
    done = project.bare("inspect", "--list")
    assert done.code == 0
    assert "query_task [id1 [id2 [... [idN]]]]" in done.out
    assert "Request worker statistics/information." in done.out
    assert "hello" not in done.out
    assert "rate_limit <task_name> <rate_limit" in project.bare("control", "--list").out


def test_workers_are_asked(project: Project, worker: Worker) -> None:
    module = sys.modules[project.name]
    id_ = module.wait.delay(1, "two", key=[3]).id
    until(lambda: worker.book.get(1))
    assert asked(project, "inspect", "ping") == "w1@here: pong\n"
    head, row = asked(project, "inspect", "active").splitlines()
    assert head.split() == ["worker", "task", "id", "arguments", "for", "pid"]
    assert row.startswith(f"w1@here  {project.name}.wait  {id_}  1, 'two', key=[3]  ")
    assert json.loads(asked(project, "inspect", "active", "--json"))["w1@here"][0]["id"] == id_
    assert asked(project, "inspect", "reserved") == "nothing (w1@here)\n"
    assert f"w1@here  {project.name}.add" in asked(project, "inspect", "registered")
    assert id_ in asked(project, "inspect", "query_task", id_)
    assert asked(project, "inspect", "active_queues").splitlines()[1].split() == ["w1@here", "celery", "celery", "celery"]
    assert "software ->" in asked(project, "inspect", "report")
    assert "broker_url" in asked(project, "inspect", "conf")
    assert asked(project, "inspect", "stats").splitlines()[1].split()[0] == "w1@here"
    head, row, last = asked(project, "status").splitlines()
    assert head.split() == ["worker", "runs", "at", "once", "has", "run", "up", "pid"]
    assert row.split()[:4] == ["w1@here", "1", "2", "0"]
    assert last == "1 worker online"
    store = module.app.schedule_store
    assert store.lead("host.1.beat", patience())
    assert asked(project, "status").splitlines()[-1] == "beat host.1.beat leads, and has fired nothing yet"
    store.save([("each", b"{}")])
    store.tick([Ticks("each", clock.now() - 90, 1)])
    assert re.fullmatch(r"beat host\.1\.beat leads, and has fired last 1 ?m.* ago", asked(project, "status").splitlines()[-1])
    store.resign("host.1.beat")
    assert json.loads(asked(project, "status", "--json"))["w1@here"]["running"] == 1
    assert '"w1@here" -> "sqlite:///' in asked(project, "graph", "workers")
    module.GATE.set()


def test_workers_are_told(project: Project, worker: Worker) -> None:
    assert asked(project, "control", "pool_grow", "2") == "w1@here: pool will grow\n"
    assert worker.pool.slots == 4
    done = project.umbel("control", "pool_shrink", "9")
    assert (done.code, done.out) == (1, "")
    assert "w1@here: ValueError('nothing would be left to run tasks" in done.err
    assert json.loads(asked(project, "control", "cancel_consumer", "celery", "--json")) == {
        "w1@here": {"ok": "no longer consuming from celery"}
    }
    assert "flagged as revoked" in asked(project, "control", "revoke", "some id")
    assert asked(project, "inspect", "revoked").splitlines()[1] == "w1@here  some id"
    assert project.umbel("control", "shutdown", "-d", "nobody@here").code == 0  # who is meant only the workers know
    told = project.umbel("control", "shutdown")
    assert (told.code, told.out) == (0, "told 1 listener; nobody answers shutdown\n")
    until(lambda: project.umbel("inspect", "ping", "-t", "0.1").code == 69)


def test_commands_of_ones_own_are_found_in_the_project(project: Project, worker: Worker) -> None:
    assert asked(project, "inspect", "repeated", "ab", "3") == "w1@here: ababab\n"
    assert asked(project, "control", "hear", "one", "two") == "w1@here: one two\n"
    assert "repeated <word> [times=1]" in project.umbel("inspect", "--list").out


def test_who_asks_does_not_import_the_tasks(project: Project) -> None:
    (project.folder / f"{project.name}_tasks.py").write_text("raise SystemExit('imported')\n")
    project.write(PROJECT + f"\napp.conf.imports = ['{project.name}_tasks']\n")
    assert project.umbel("inspect", "ping").code == 69
    assert project.bare("-b", f"sqlite:///{project.folder}/q.db", "status").code == 69
