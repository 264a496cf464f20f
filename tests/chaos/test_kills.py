"""Workers, their children and senders are killed at random moments under load: nothing accepted is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.oracle import classify
from tests.trips.conftest import project as project
from tests.trips.project import Project, Worker, until

KILLS = int(os.environ.get("UMBEL_CHAOS_KILLS", "300"))
WORKERS = 3
LEASE = 2.0

TASKS = """
import random

@app.task(bind=True, ignore_result=True)
def late(self):
    tell("begin", self.request.id, os.getpid(), os.getppid())
    time.sleep(random.choice((0, 0, 0.001, 0.005, 0.05)))
    tell("end", self.request.id, os.getpid(), os.getppid())

@app.task(bind=True, acks_late=False)
def early(self):
    tell("begin", self.request.id, os.getpid(), os.getppid())
    time.sleep(random.choice((0, 0.001, 0.005)))
    tell("end", self.request.id, os.getpid(), os.getppid())
"""

SENDER = """
import itertools, os, sys, time
from umbel import Umbel
app = Umbel("sender", broker=sys.argv[1], set_as_current=False)
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for number in itertools.count():
    kind = "late" if number % 3 else "early"
    sent = app.send_task("proj." + kind)
    os.write(fd, f"{sent.id} {kind}\\n".encode())
    time.sleep(0.001)
"""


@dataclass
class Arena:
    """The processes of one run, and who was killed."""

    project: Project
    random: random.Random
    workers: list[Worker] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)
    exits: Counter[int] = field(default_factory=Counter)
    """How often workers ended with which code: -9 killed, 1 because their nursery was."""

    def kill_one(self) -> None:
        """Kill a random process of a random worker; what hangs on it counts as killed, too."""
        worker = self.random.choice(self.workers)
        family = worker.family()
        if not family:
            return
        victim = self.random.choice(family)
        self.killed.add(victim)
        if victim in family[:2]:  # the worker itself, or what its children hang on: all of them go
            self.killed.update(worker.seen)
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return

    def works(self) -> bool:
        """Start a new worker for each that ended; True if there is one with children."""
        for index, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                self.exits[worker.process.returncode] += 1
                self.workers[index] = self.project.start("-c", "2")
        return any(worker.family()[2:] for worker in self.workers)


def send(project: Project, confirmed: Path) -> subprocess.Popen[bytes]:
    """A process that sends without end and writes down what was accepted."""
    return subprocess.Popen([sys.executable, "-c", SENDER, project.store, str(confirmed)], cwd=project.folder)


def read(confirmed: Path) -> dict[str, str]:
    """Id and kind of each accepted task; a line cut by a kill does not count."""
    return dict(line.split() for line in confirmed.read_text().split("\n")[:-1])


def test_nothing_is_lost_when_processes_are_killed(project: Callable[..., Project]) -> None:
    made = project(TASKS, lease=LEASE)
    seed = int(os.environ.get("UMBEL_CHAOS_SEED", time.time_ns() % 1_000_000))
    print("seed", seed)
    arena = Arena(made, random.Random(seed))
    confirmed = made.folder / "confirmed.txt"
    arena.workers = [made.start("-c", "2") for _ in range(WORKERS)]
    sender = send(made, confirmed)
    try:
        until(made.effects)
        for number in range(KILLS):
            time.sleep(arena.random.uniform(0.0, 0.01))
            until(arena.works, deadline=30)
            seen = len(made.effects_file.read_bytes())
            arena.kill_one()
            if number % 20 == 19:
                sender.kill()
                sender.wait()
                sender = send(made, confirmed)
            until(lambda seen=seen: arena.works() and len(made.effects_file.read_bytes()) > seen, deadline=30)
        sender.kill()
        sender.wait()
        accepted = read(confirmed)
        settle(arena, accepted)
        verdicts = classify(
            confirmed=accepted,
            effects=[words for words in made.effects() if words[1] in accepted],
            failures=failures(made, accepted),
            late=[id for id, kind in accepted.items() if kind == "late"],
            killed=arena.killed,
        )
        stalls = sum(path.read_text(errors="replace").count("was taken for dead") for path in made.folder.glob("worker*.log"))
        print(f"{KILLS} kills, {len(accepted)} accepted: {verdicts}; {stalls} leases lost by stalls, exits {dict(arena.exits)}")
        assert set(arena.exits) <= {-signal.SIGKILL, 1}
        assert not verdicts.lost, verdicts.lost[:5]
        assert not verdicts.duplicated, verdicts.duplicated[:5]
        assert len(accepted) > KILLS
    finally:
        sender.kill()
        sender.wait()
        for worker in arena.workers:
            worker.kill_all()


def settle(arena: Arena, accepted: dict[str, str]) -> None:
    """Wait until the store holds nothing that is ready, held or later."""
    broker = arena.project.app.broker

    def quiet() -> bool:
        arena.works()
        depth = broker.depth(["celery"])["celery"]
        return depth.ready == depth.held == depth.later == 0

    until(quiet, deadline=60, saying=lambda: broker.depth(["celery"]))


def failures(made: Project, accepted: dict[str, str]) -> dict[str, str]:
    """What was told of each task that failed or was buried."""
    backend = made.app.backend
    assert backend is not None
    told = {buried.envelope.id: buried.reason for buried in made.app.broker.buried(limit=10_000)}
    ids = list(accepted)
    for start in range(0, len(ids), 500):
        for id, result in backend.fetch(ids[start : start + 500]).items():
            if result.state == "FAILURE":
                told[id] = result.document.decode()
    return told
