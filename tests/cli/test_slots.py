"""Parts and options of a project's own, in workers and beats that were started from the command line."""

from __future__ import annotations

import signal

from tests.cli.project import Project

from umbel.testing.waiting import patience, until

OWN = """
import os

import click

from umbel import Umbel, signals
from umbel.client.loader import Loader
from umbel.client.logbook import Log

MAIN = os.getpid()


def note(*words):
    with open("notes.txt", "a") as file:
        file.write(" ".join(map(str, (*words, "here" if os.getpid() == MAIN else "there"))) + "\\n")


class Watching(Loader):
    def on_worker_init(self):
        note("on_worker_init")

    def on_worker_process_init(self):
        note("on_worker_process_init")

    def on_task_init(self, task_id, task):
        note("on_task_init", task.name)

    def on_process_cleanup(self):
        note("on_process_cleanup")

    def on_worker_shutdown(self):
        note("on_worker_shutdown")


class Noting(Log):
    def setup(self, *args, **kwargs):
        note("setup", *args, kwargs.get("hostname"))
        return super().setup(*args, **kwargs)

    def redirect_stdouts(self, loglevel=None, name=None):
        note("redirect_stdouts", loglevel)
        super().redirect_stdouts(loglevel, name)


app = Umbel("proj", broker="sqlite:///q.db", loader=Watching, log=Noting)
app.conf.beat_schedule = {"tick": {"task": "tick", "schedule": 0.2}}
app.user_options["worker"].add(click.Option(["--site"], default="none"))
app.user_options["preload"].add(click.Option(["--tint"], default="red"))


@signals.user_preload_options.connect
def tell(options, **_):
    note("options", sorted(options.items()))


@app.task(name="tick")
def tick():
    pass
"""


def ran_until(project: Project, noted: str, *command: str) -> int:
    """Run this until that stands in the notes, and stop it in order; gives its exit code."""
    notes = project.folder / "notes.txt"
    process = project.start(*command)
    try:
        until(lambda: notes.exists() and noted in notes.read_text())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=patience())
    finally:
        process.kill()
        process.wait()
    return process.returncode


def test_a_worker_uses_the_parts_and_options_of_its_app(project: Project) -> None:
    project.write(OWN)
    project.umbel("call", "tick")
    notes = project.folder / "notes.txt"
    notes.unlink(missing_ok=True)
    assert ran_until(project, "on_process_cleanup", "worker", "-c", "1", "-l", "INFO", "-n", "w@h", "--site", "main") == 0
    assert notes.read_text().splitlines() == [
        "on_worker_init here",
        "options [('site', 'main'), ('tint', 'red')] here",
        "setup 20 None w@h here",
        "redirect_stdouts WARNING here",
        "on_worker_process_init there",
        "on_task_init tick there",
        "on_process_cleanup there",
        "on_worker_shutdown here",
    ]


def test_a_beat_does_so_too(project: Project) -> None:
    project.write(OWN)
    notes = project.folder / "notes.txt"
    ran_until(project, "redirect_stdouts", "beat", "-l", "INFO", "--tint", "blue")
    told = [line.removesuffix(" here") for line in notes.read_text().splitlines()]
    assert told == ["on_worker_init", "options [('tint', 'blue')]", "setup 20 None True WARNING None", "redirect_stdouts WARNING"]


def test_options_of_the_app_stand_in_help(project: Project) -> None:
    project.write(OWN)
    assert "--site" in project.umbel("worker", "--help").out
    assert "--site" not in project.bare("worker", "--help").out
