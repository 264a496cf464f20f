"""Four processes on one store, killed at random moments: nothing is lost, and nothing is held twice at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.programs.nursery import Process, end, nursery

from umbel.stores.broker import Conclusion
from umbel.stores.url import open_broker
from umbel.testing.given import drain, envelope
from umbel.testing.waiting import until

MESSAGES = 12_000
KILLS = 12


class Crew:
    """Processes that hammer; what they print is kept."""

    def __init__(self, directory: Path, url: str):
        self.command = [sys.executable, str(Path(__file__).with_name("hammer.py")), url, f"{directory}/locks", "one", "two"]
        (directory / "locks").touch()
        self.directory = directory
        self.members: list[Process] = []
        self.count = 0

    def hire(self) -> None:
        self.count += 1
        with (self.directory / f"{self.count}.out").open("wb") as out:
            programs = nursery(Path(sys.executable))
            member = programs.start(self.command, cwd=self.directory, env=os.environ, stdin=subprocess.PIPE, stdout=out)
        self.members.append(member)

    def kill(self, member: Process) -> None:
        self.members.remove(member)
        end(member)

    def said(self) -> list[str]:
        return [line for out in sorted(self.directory.glob("*.out")) for line in out.read_text().splitlines()]


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/queue.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")


def test_processes_killed_at_random_lose_nothing_and_never_hold_the_same_twice(tmp_path, url):
    broker = open_broker(url)
    broker.send([envelope(str(number), ("one", "two")[number % 2], priority=number % 3) for number in range(MESSAGES)])
    crew, chance = Crew(tmp_path, url), random.Random()
    for _ in range(4):
        crew.hire()
    until(lambda: crew.said().count("READY") == 4)
    for _ in range(KILLS):
        time.sleep(0.01 * chance.random())
        begun = time.monotonic()
        until(lambda begun=begun: time.monotonic() > begun + 0.25)
        crew.kill(chance.choice(crew.members))
        crew.hire()
    until(lambda: broker.queues() == ["done"])
    for member in list(crew.members):
        crew.kill(member)
    finished = drain(broker, "done", limit=1000)
    broker.conclude([Conclusion(each) for each in finished])
    broker.close()
    assert Counter(each.envelope.id for each in finished) == Counter(map(str, range(MESSAGES)))
    assert set(crew.said()) == {"READY"}
