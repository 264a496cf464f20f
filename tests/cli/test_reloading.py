"""`control pool_restart`: new child processes, of other code if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.project import Project

from umbel import Umbel
from umbel.testing.waiting import patience, until

MAIN = """
from umbel import Umbel

app = Umbel("proj", broker="sqlite:///q.db", backend="sqlite:///q.db", include=["{tasks}"])
app.conf.worker_pool_restarts = True
"""
TASKS = """
import os
from {main} import app
from umbel import shared_task

@app.task(name="word", rate_limit="{limit}")
def word():
    return "{word}"

@shared_task(name="shared")
def shared():
    return "{word}"
"""
MORE = """
from {main} import app

@app.task(name="more")
def more():
    return "more"
"""


class Site:
    """A project of several modules, whose worker is asked and told."""

    def __init__(self, project: Project):
        self.project = project
        self.tasks = f"{project.name}_tasks"
        project.write(MAIN.format(tasks=self.tasks))
        self.say("first")
        place = f"sqlite:///{project.folder}/q.db"
        self.app = Umbel("asks", broker=place, backend=place, set_as_current=False)

    def write(self, module: str, text: str, **words: str) -> None:
        Path(self.project.folder, f"{module}.py").write_text(text.format(main=self.project.name, **words))

    def say(self, word: str, limit: str = "1000/s") -> None:
        self.write(self.tasks, TASKS, word=word, limit=limit)

    def restart(self, **how: Any) -> Any:
        (reply,) = self.app.control.pool_restart(reply=True, timeout=patience(), **how)
        (answer,) = reply.values()
        return answer

    def processes(self) -> set[int]:
        ((_, stats),) = self.app.control.inspect(timeout=patience()).stats().items()
        return set(stats["pool"]["processes"])

    def run(self, name: str) -> Any:
        return self.app.send_task(name).get(timeout=patience())


@pytest.fixture
def begin(project: Project) -> Iterator[Callable[..., Site]]:
    """Starts a worker with these options."""
    begun: list[Any] = []

    def start(*options: str) -> Site:
        site = Site(project)
        begun.extend((project.start("worker", "-c", "2", "-l", "WARNING", *options, stdout=None, stderr=None), site.app))
        until(lambda: site.app.control.ping())
        return site

    yield start
    for process, app in zip(begun[::2], begun[1::2], strict=True):
        process.terminate()
        process.wait(patience())
        app.close()


def test_modules_are_imported_anew_and_new_processes_run_them(begin: Callable[..., Site]) -> None:
    site = begin()
    assert (site.run("word"), site.run("shared")) == ("first", "first")
    site.say("the second")
    before = site.processes()
    assert site.restart(modules=[site.tasks]) == {"ok": "reload started"}
    until(lambda: before.isdisjoint(site.processes()))
    assert site.run("word") == "first"  # it is imported already, and `reload` does not ask for more
    site.say("another one", limit="500/s")
    assert site.restart(reload=True) == {"ok": "reload started"}
    assert (site.run("word"), site.run("shared")) == ("another one", "another one")
    ((_, registered),) = site.app.control.inspect(timeout=patience()).registered().items()
    assert "word [rate_limit=500/s]" in registered


def test_modules_that_were_not_there_bring_new_tasks(begin: Callable[..., Site]) -> None:
    site = begin()
    name = f"{site.project.name}_more"
    site.write(name, MORE)
    assert site.restart(modules=[name]) == {"ok": "reload started"}
    assert site.run("more") == "more"


def test_what_cannot_be_is_refused_with_the_reason_and_nothing_changes(begin: Callable[..., Site]) -> None:
    site = begin()
    before = site.processes()
    site.write(site.tasks, "1 / 0")
    for how, why in (
        ({"modules": [site.tasks], "reload": True}, "division by zero"),
        ({"modules": ["no_such_module"]}, "no_such_module"),
        ({"modules": [site.project.name], "reload": True}, "makes the app itself"),
        ({"modules": ["a b"]}, "no names of modules"),
        ({"modules": 7}, "7"),
        ({"reloader": "x"}, "a reloader is code"),
    ):
        assert why in site.restart(**how)["error"]
    assert site.processes() == before
    assert site.run("word") == "first"


def test_pools_without_processes_refuse_before_anything_is_imported(begin: Callable[..., Site]) -> None:
    site = begin("-P", "threads")
    assert "no processes of its own" in site.restart(modules=["no_such_module"])["error"]
