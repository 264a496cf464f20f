"""What the program loads: each module costs every start of every worker a part of a millisecond or more."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from tests.cli.project import Project

from umbel.testing.waiting import patience

TELLS = """
import os, signal, sys
from umbel import Umbel, signals

app = Umbel("proj", broker="sqlite:///q.db")

@app.task
def add(x, y): return x + y

def tell(sender, **_):
    with open("loaded", "w") as file:
        file.write(" ".join(sys.modules))
    os.kill(os.getpid(), signal.SIGTERM)

signals.worker_ready.connect(tell)
signals.beat_init.connect(tell)
"""

OTHERS = {
    *("bz2", "ctypes", "dataclasses", "email", "hashlib", "importlib.metadata", "lzma", "multiprocessing", "pickle", "pprint"),
    *("random", "rich", "shutil", "tempfile", "zoneinfo"),
}
"""Of Python and of other packages: what only few of those who start a worker need."""
OURS = (
    *("umbel.beat", "umbel.django", "umbel.schedules", "umbel.testing", "umbel.stores.memory", "umbel.stores.redis"),
    *("umbel.client.canvas.chain", "umbel.client.canvas.chord", "umbel.client.canvas.group", "umbel.client.canvas.mapped"),
    *("umbel.client.eager", "umbel.client.shortcut", "umbel.client.periodic.timetable", "umbel.client.remote.inspect"),
    *("umbel.client.results.waiter",),
    *("umbel.events.receiver", "umbel.events.reading", "umbel.events.recent", "umbel.events.seen", "umbel.events.state"),
    *("umbel.worker.control.figures", "umbel.worker.control.seeing", "umbel.worker.control.telling"),
)


def loaded(project: Project, *command: str) -> set[str]:
    """The modules that the main process of a command has loaded when it is ready."""
    project.write(TELLS)
    process = project.start(*command, stdout=subprocess.DEVNULL)
    _, err = process.communicate(timeout=patience())
    assert process.returncode in (0, 128 + signal.SIGTERM), err
    return set((project.folder / "loaded").read_text().split())


def of_us(modules: set[str], rooms: tuple[str, ...]) -> set[str]:
    """Those of some rooms and modules of umbel's."""
    return {name for name in modules if name.startswith(tuple(f"{room}." for room in rooms)) or name in rooms}


@pytest.mark.parametrize("pool", [("-P", "solo"), ("-P", "threads"), ("-c", "2")])
def test_a_worker_loads_only_what_it_needs_until_it_is_asked_for_more(project: Project, pool: tuple[str, ...]) -> None:
    modules = loaded(project, "worker", *pool)
    assert "umbel.worker.worker" in modules
    assert not modules & OTHERS
    assert not of_us(modules, OURS)


def test_a_beat_loads_nothing_of_workers_and_no_event_loop(project: Project) -> None:
    modules = loaded(project, "beat")
    assert "umbel.beat.beat" in modules
    assert not modules & (OTHERS - {"zoneinfo"} | {"asyncio", "umbel.execution.execute"})
    assert not of_us(modules, ("umbel.worker", "umbel.pools", "umbel.events"))


WATCHES = """
import gc, json, os, signal
from umbel import Umbel, signals

app = Umbel("proj", broker="sqlite:///q.db")
kept = [[] for _ in range(10_000)]
facts = [gc.isenabled(), sum(each["collections"] for each in gc.get_stats())]

def tell(sender, **_):
    with open("facts", "w") as file:
        json.dump([*facts, gc.isenabled(), gc.get_freeze_count()], file)
    os.kill(os.getpid(), signal.SIGTERM)

signals.worker_ready.connect(tell)
"""


def test_nothing_is_collected_while_a_worker_loads_and_all_is_afterwards(project: Project) -> None:
    project.write(WATCHES)
    _, err = project.start("worker", "-P", "solo", stdout=subprocess.DEVNULL).communicate(timeout=patience())
    collects_while_loading, times, collects, frozen = json.loads((project.folder / "facts").read_text())
    assert (collects_while_loading, collects) == (False, True), err
    assert times <= 30, "before it is umbel's turn; it would be hundreds"
    assert frozen > 10_000
