"""Celery and umbel on one Redis: workers and clients of both, each a process of its own, all with the same project."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.programs.nursery import end, nursery
from tests.servers.missing import lacks
from tests.trips.project import Worker

from umbel.testing.waiting import factor, patience, until

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PROJECT = HERE / "project"
CELERY = ROOT / ".bench" / "sites-celery" / "bin" / "python"
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
_numbers = itertools.count(1)


def python_of(system: str) -> str:
    """The interpreter that has it; without Celery the test fails on CI, and is skipped at home."""
    if system == "umbel":
        return sys.executable
    if not CELERY.exists():
        lacks("Celery is not in .bench/sites-celery: run scripts/setup sites-celery .bench/sites-celery")
    return str(CELERY)


class Agent:
    """A client process of one system; `ask` has it run code that knows `shop`, `app`, `patience` and `told(result)`."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]):
        with (folder / "agents.log").open("ab") as log:
            self.process = nursery(Path(command[0])).start(
                command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )

    def ask(self, code: str) -> Any:
        """What the last line of the code gives; fails with its traceback if it raises."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump(textwrap.dedent(code), self.process.stdin)
        self.process.stdin.flush()
        ok, value = pickle.load(self.process.stdout)
        assert ok, value
        return value

    def close(self) -> None:
        """End it."""
        end(self.process)


USUAL = {
    "ACCEPT": "json pickle yaml msgpack",
    "RESULTS": "json",
    "VISIBILITY": "3600",
    "PREFIX": "",
    "SENT_EVENTS": "",
    "SHARED": "",
}
"""What the shop reads from its environment; said, lest something else of that name be there already."""


class Fleet:
    """One database of a Redis server, and all processes that use it."""

    def __init__(self, folder: Path, port: int, db: int = 0, **env: str):
        self.folder = folder
        self.db = db
        self.broker = f"redis://127.0.0.1:{port}/{db}"
        self.effects_file = folder / "effects.txt"
        self._env = {**USUAL, "BROKER": self.broker, "BACKEND": f"redis://127.0.0.1:{port}/{db + 1}", **env}
        self._env |= {"EFFECTS": str(self.effects_file), "C_FORCE_ROOT": "1"}
        self._env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
        self.workers: list[Worker] = []
        self._agents: list[Agent] = []

    def env(self, system: str) -> dict[str, str]:
        """The environment of a process of that system."""
        return {**os.environ, **self._env, "SYSTEM": system, "PATIENCE": str(patience()), "LEASE": str(3 * factor())}

    def agent(self, system: str, **env: str) -> Agent:
        """A new client."""
        command = [python_of(system), str(PROJECT / "agent.py")]
        self._agents.append(Agent(command, self.folder, {**self.env(system), **env}))
        return self._agents[-1]

    def start(self, system: str, *options: str, quiet: bool = True) -> Worker:
        """Start a worker; it may not be ready yet. Celery's speaks with others only if it is not to be `quiet`."""
        name = f"{system}{next(_numbers)}"
        command = [python_of(system), "-m", system, "-A", "shop", "worker", "-l", "INFO", "-n", f"{name}@host", *options]
        logfile = self.folder / f"{name}.log"
        with logfile.open("wb") as log:
            words = [*command, *(QUIET if quiet and system == "celery" else ())]
            process = nursery(Path(command[0])).start(words, cwd=self.folder, env=self.env(system), stdout=log)
        self.workers.append(Worker(process, logfile))
        return self.workers[-1]

    def ready(self, *workers: Worker) -> None:
        """Wait until these serve."""
        until(lambda: all("ready." in worker.log or worker.process.poll() is not None for worker in workers))
        for worker in workers:
            assert worker.process.poll() is None, worker.log

    def run(self, system: str, *words: str) -> subprocess.CompletedProcess[str]:
        """What a command of that system says."""
        command = [python_of(system), "-m", system, "-A", "shop", *words]
        return nursery(Path(command[0])).run(command, cwd=self.folder, env=self.env(system))

    def effects(self) -> list[list[str]]:
        """The words of each line that tasks have written."""
        if not self.effects_file.exists():
            return []
        return [line.split() for line in self.effects_file.read_text().split("\n")[:-1]]

    def close(self) -> None:
        """End all processes."""
        for agent in self._agents:
            agent.close()
        for worker in self.workers:
            worker.kill_all()
