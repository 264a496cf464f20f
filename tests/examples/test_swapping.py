"""Both sites go from Celery to umbel and back, process by process, on one Redis and under load: nothing is lost or doubled.

`UMBEL_SWAPS=20 UMBEL_SWAP_RATE=200` runs it, for a quarter of an hour, as it should be before a release.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis
from tests.examples.sites import ROOT, Browser, Running, Site, environment
from tests.servers import redis

from umbel.testing.waiting import patience, until

ROUNDS = int(os.environ.get("UMBEL_SWAPS", "1"))
RATE = float(os.environ.get("UMBEL_SWAP_RATE", "10"))
"""Tasks a second, from a client of each kind."""
EVERY = 2.0
"""Seconds between two ticks of the beat."""
SITES = ("egoejo", "cantine")

TICKING = """
from {module}.celery import app
app.conf.beat_schedule = {{"tick": {{"task": "{tick}", "schedule": {every}}}}}
"""
SENDING = """
import os, signal, sys, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{module}.settings")
import django
django.setup()
from {task_module} import {task} as task
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
print("sending", flush=True)
due = time.monotonic()
while not asked:
    print("sent", task.delay(**{words}).id, flush=True)
    due = max(due + {pause}, time.monotonic() - 1)
    time.sleep(max(due - time.monotonic(), 0))
print("ended", flush=True)
"""


class Fleet:
    """One site as two kinds run it, with one database and one Redis."""

    def __init__(self, name: str, folder: Path, port: int, stack: contextlib.ExitStack):
        self.name = name
        self.below = "backend" if name == "egoejo" else ""
        self.module = "config" if name == "egoejo" else "macantine"
        self.database = folder / "site.sqlite3"
        self.redis = Redis(port=port, db=2 if name == "egoejo" else 0)
        self.logs = folder / "logs"
        self.logs.mkdir()
        env = {
            "SECRET_KEY": "for-tests",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "REDIS_URL": f"redis://127.0.0.1:{port}/0",
            # So that umbel puts what waits where Celery's workers look for it.
            "UMBEL_BROKER_TRANSPORT_OPTIONS": '{"celery_workers": true}',
        }
        self.sites = {kind: Site(ROOT / "examples" / name, environment(kind), self.logs, **env) for kind in ("celery", "umbel")}
        tick = "core.tasks.update_all_impact_dashboards" if name == "egoejo" else "macantine.tasks.fill_totals"
        task = ("core.tasks", "update_impact_dashboard_metrics", "{'user_id': 0}")
        if name == "cantine":
            task = ("macantine.tasks", "fill_totals", "{'canteen_id': 0}")
        for site in self.sites.values():
            stack.callback(site.close)
            at = site.folder / self.below
            (at / "ticking.py").write_text(TICKING.format(module=self.module, tick=tick, every=EVERY))
            words = {"module": self.module, "task_module": task[0], "task": task[1], "words": task[2], "pause": 2 / RATE}
            (at / "sending.py").write_text(SENDING.format(**words))
        self.tick = tick
        self.beats: list[Running] = []
        self.workers: list[Running] = []

    def must(self, kind: str, command: str) -> str:
        """Run a command to its end."""
        return self.sites[kind].must(command, below=self.below)

    def start(self, kind: str, command: str, *words: str) -> Running:
        """Start a command that goes on, and wait until it has said so."""
        running = self.sites[kind].start(command, below=self.below)
        running.says(*words)
        return running

    def worker(self, kind: str) -> Running:
        self.workers.append(self.start(kind, f"celery -A {self.module} worker --loglevel=info -c 2 -n {kind}@here", "ready."))
        return self.workers[-1]

    def beat(self, kind: str) -> Running:
        """The only one. What this kind has sent last was before the other had its time."""
        if kind == "umbel":
            if any("umbel" in beat.log for beat in self.beats):
                self.must("umbel", "celery -A ticking schedule enable tick")
        else:
            for file in (self.sites["celery"].folder / self.below).glob("celerybeat-schedule*"):
                file.unlink()
            if self.beats:
                self.must("umbel", "celery -A ticking schedule disable tick")
        self.beats.append(self.start(kind, "celery -A ticking beat --loglevel=info", "beat: Starting"))
        return self.beats[-1]

    def web(self, kind: str) -> tuple[Running, Browser]:
        port = redis.free_port()
        if self.name == "egoejo":
            running = self.start(kind, f"daphne -b 127.0.0.1 -p {port} config.asgi:application", "Listening on TCP")
        else:
            running = self.start(kind, f"python manage.py runserver --noreload {port}", "Quit the server")
        return running, Browser(f"http://127.0.0.1:{port}")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=patience())) as connection:
            return connection.execute(sql).fetchall()

    def states(self, ids: list[str]) -> Counter[str]:
        """How many of these are in which state."""
        found = self.redis.mget([f"celery-task-meta-{id}" for id in ids]) if ids else []
        return Counter("lost" if document is None else json.loads(document)["status"] for document in found)


pytestmark = pytest.mark.skipif("UMBEL_SWAPS" not in os.environ, reason="takes a quarter of an hour: set UMBEL_SWAPS=20")


@pytest.fixture(params=SITES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(redis.running(tmp_path / "redis"))
        made = Fleet(request.param, tmp_path, broker.port, stack)
        stack.callback(made.redis.close)
        made.must("umbel", "python manage.py migrate -v0")
        made.must("umbel", "python manage.py seed")
        yield made


class Visits:
    """Somebody who gives a euro again and again, by the page that is open."""

    def __init__(self, fleet: Fleet):
        self.fleet = fleet
        self.count = 0

    def register(self, browser: Browser) -> None:
        fields = json.dumps({"email": "ada@example.org", "password": "sept-lieues"}).encode()
        assert browser.call("/api/auth/register/", fields) == {"success": True}

    def give(self, browser: Browser, times: int) -> None:
        if self.fleet.name != "egoejo":
            assert "<html" in browser.get("/")
            return
        if self.count == 0:
            self.register(browser)
        else:
            browser.post("/compte/login/", {"username": "ada@example.org", "password": "sept-lieues"})
        for _ in range(times):
            browser.call("/api/contributions/", json.dumps({"projet": 1, "euros": 1, "hours": 0}).encode())
            self.count += 1


def ids_in(running: Running) -> list[str]:
    return re.findall(r"^sent (\S+)$", running.log, re.MULTILINE)


def ticks_of(beat: Running) -> list[datetime]:
    """When a beat has sent its ticks."""
    found = re.findall(r"\[(\S+ \S+): INFO/MainProcess\] Scheduler: Sending due task tick ", beat.log)
    return [datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f") for text in found]


def test_swapping_one_process_after_the_other_loses_and_doubles_nothing(fleet: Fleet) -> None:
    senders = [fleet.start(kind, "python sending.py", "sending") for kind in ("celery", "umbel")]
    kind, visits = "celery", Visits(fleet)
    worker, beat = fleet.worker(kind), fleet.beat(kind)
    web, browser = fleet.web(kind)
    visits.give(browser, 2)
    for number in range(ROUNDS):
        _wait_for_ticks(beat)
        kind = ("umbel", "celery")[number % 2]
        newer = fleet.worker(kind)
        assert worker.stop() == 0
        worker = newer
        assert beat.stop() == 0
        beat = fleet.beat(kind)
        newer, browser = fleet.web(kind)
        visits.give(browser, 3)
        web.stop()
        web = newer
    _wait_for_ticks(beat)
    assert [sender.stop() for sender in senders] == [0, 0]
    assert beat.stop() == 0
    sent = [id for sender in senders for id in ids_in(sender)]
    assert len(sent) > 10
    until(lambda: set(fleet.states(sent)) == {"SUCCESS"}, saying=lambda: (fleet.states(sent), worker.log[-2000:]))
    _check_ticks(fleet)
    if fleet.name == "egoejo":
        until(lambda: fleet.rows("SELECT euros FROM core_impactdashboard") == [(visits.count,)])
    until(lambda: fleet.redis.llen("celery") == 0)
    assert worker.stop() == 0
    web.stop()


def _wait_for_ticks(beat: Running) -> None:
    until(lambda: len(ticks_of(beat)) >= 2, saying=lambda: beat.log)


def _check_ticks(fleet: Fleet) -> None:
    """Each tick that a beat has sent ran, once; and no beat has made up for what another had sent."""
    times = [ticks_of(beat) for beat in fleet.beats]
    count = sum(map(len, times))

    def ran() -> set[str]:
        ended = rf"Task {fleet.tick}\[(\S+)\] succeeded".replace(".", r"\.")
        ids = {id for worker in fleet.workers for id in re.findall(ended, worker.log)}
        return ids - {id for kind in fleet.sites for id in _sent_by_hand(fleet, kind)}

    until(lambda: len(ran()) >= count, saying=lambda: (len(ran()), count))
    assert len(ran()) == count
    for before, after in pairwise(times):
        assert (after[0] - before[-1]).total_seconds() > 0.9 * EVERY


def _sent_by_hand(fleet: Fleet, kind: str) -> set[str]:
    """Ids of the same task that clients have sent."""
    logs = fleet.logs.glob(f"{fleet.sites[kind].top.name}-*.log")
    return {id for log in logs for id in re.findall(r"^sent (\S+)$", log.read_text(errors="replace"), re.MULTILINE)}
