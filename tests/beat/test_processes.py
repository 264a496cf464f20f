"""Beats, and those who change the schedule, in processes of their own; and a server that goes away."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.beat.messages import drain, waiting
from tests.servers import redis

from umbel import Umbel, clock
from umbel.testing.waiting import factor, pace, until

EDITOR = """
import itertools, sys, time
from umbel import Umbel
app = Umbel("proj", broker=sys.argv[1], set_as_current=False)
for number in itertools.count():
    app.schedule.change("steady", args=(number,))
    if number % 3 == 0:
        app.schedule.add(f"extra{number}", "t", 0.1, queue="extra")
    if number % 3 == 2:
        app.schedule.remove(f"extra{number - 2}")
    print(number, flush=True)
    time.sleep(0.02)
"""


@contextmanager
def beating(folder: Path, store: str, code: str = "") -> Iterator[subprocess.Popen[str]]:
    """A beat, with no entries but those of the code, until the end of the block."""
    (folder / "proj.py").write_text(f"from umbel import Umbel\napp = Umbel('proj', broker={store!r})\n{code}\n")
    log = (folder / "beat.log").open("wb")
    command = [sys.executable, "-m", "umbel", "-A", "proj", "beat", "-q", "-l", "INFO"]
    with log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/q.db"
    else:
        with redis.running(tmp_path / "redis") as server:
            yield f"redis://127.0.0.1:{server.port}/0"


def chain(first: float, every: float, count: int) -> list[float]:
    """Due times without a gap, as exact as ids tell them."""
    return [pytest.approx(first + every * number, abs=0.002) for number in range(count)]


def test_edits_of_another_process_lose_and_double_nothing(tmp_path, store):
    app = Umbel("proj", broker=store, set_as_current=False)
    app.schedule.add("steady", "t", 0.1)
    with beating(tmp_path, store):
        until(lambda: waiting(app) >= 3)
        with subprocess.Popen([sys.executable, "-c", EDITOR, store], stdout=subprocess.PIPE, text=True) as editor:
            assert editor.stdout is not None
            sent = waiting(app)
            until(lambda: waiting(app) >= sent + 40)
            editor.kill()
            edits = int(editor.stdout.read().splitlines()[-1])
        edited, found = pace(), drain(app)
        until(lambda: found.extend(drain(app)) or found[-1]["args"][0] >= edits)
        assert pace() - edited < 1.5, "the last edit acts within a second"
    found += drain(app)
    dues = [each["due"] for each in found]
    assert dues == chain(dues[0], 0.1, len(dues))
    assert drain(app, "extra"), "what was there for a moment was sent, too"
    app.close()


def test_edits_act_within_a_second_while_hundreds_are_sent(tmp_path, store):
    app = Umbel("proj", broker=store, set_as_current=False)
    load = {f"load{number}": 0.1 + number * 0.001 for number in range(20)}
    for name, every in load.items():
        app.schedule.add(name, "t", every, queue="load")
    with beating(tmp_path, store):
        until(lambda: waiting(app, "load") >= 100)

        edited = pace()
        app.schedule.add("new", "t", 0.1, queue="new")
        until(lambda: waiting(app, "new"))
        acted = [pace() - edited]

        edited = pace()
        app.schedule.change("new", kwargs={"changed": True})
        until(lambda: any(each["kwargs"] for each in drain(app, "new")))
        acted.append(pace() - edited)

        found = drain(app, "load")
        edited, disabled = pace(), clock.now()
        app.schedule.disable("new")
        # What the others were sent for tells how far the beat has come.
        until(lambda: found.extend(drain(app, "load")) or found[-1]["due"] > disabled + 2)
        acted.append((max(each["due"] for each in drain(app, "new")) - disabled) / factor())
        until(lambda: found.extend(drain(app, "load")) or found[-1]["due"] > disabled + 2.5)
        assert drain(app, "new") == []
    assert max(acted) < 1.5, f"{acted}: the promise is a second; the rest is for a busy machine"
    found += drain(app, "load")
    for name, every in load.items():
        dues = [each["due"] for each in found if each["periodic_task_name"] == name]
        assert dues == chain(dues[0], every, len(dues))
    app.close()


def test_what_the_code_names_goes_on_when_the_store_has_lost_everything(tmp_path):
    with redis.running(tmp_path / "redis") as server:
        store = f"redis://127.0.0.1:{server.port}/0"
        app = Umbel("proj", broker=store, set_as_current=False)
        with beating(tmp_path, store, 'app.conf.beat_schedule = {"often": {"task": "t", "schedule": 0.2}}'):
            until(lambda: waiting(app) >= 3)
            server.ask("FLUSHALL")
            until(lambda: waiting(app) >= 3)
        assert app.schedule["often"].count <= waiting(app), "what was sent before is not counted any more"
        assert (tmp_path / "beat.log").read_text().count("has lost what it had") == 1
        app.close()


def test_what_falls_due_while_redis_is_away_is_sent_when_it_is_back(tmp_path):
    with redis.running(tmp_path / "redis", "--appendonly", "yes") as server:
        store = f"redis://127.0.0.1:{server.port}/0"
        app = Umbel("proj", broker=store, set_as_current=False)
        app.schedule.add("steady", "t", 0.5)
        with beating(tmp_path, store):
            until(lambda: waiting(app) >= 3)
            server.stop()
            log = tmp_path / "beat.log"
            until(lambda: "is away" in log.read_text())
            time.sleep(1)  # so that some fall due meanwhile
            server.start()
            sent = waiting(app)
            until(lambda: waiting(app) >= sent + 6)
        said = log.read_text()
        dues = [each["due"] for each in drain(app)]
        assert dues == chain(dues[0], 0.5, len(dues))
        assert said.count("schedule store is away") == said.count("schedule store is back") == 1
        assert said.count("broker is away") == said.count("broker is back") <= 1
        assert "Traceback" not in said
        app.close()
