"""The demo's workers: real `umbel worker` processes, each in a process group of its own, so that all of one can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent


@dataclass
class Running:
    """A task that a process has begun and not ended."""

    task: str
    what: str


@dataclass
class Worker:
    """One worker as the demo sees it: the process it started, and what the diary says of its children."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    running: dict[int, Running] = field(default_factory=dict)
    """By the process that runs it."""
    pids: set[int] = field(default_factory=set)
    """All processes that have run tasks for it."""
    done: int = 0
    fate: str = ""
    """Empty while it lives."""
    was_killed: bool = False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker and all its children."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def owns(self, pid: int) -> bool:
        """True if this process is one of the worker's."""
        try:
            return os.getpgid(pid) == self.process.pid
        except ProcessLookupError:
            return False


class Crew:
    """All workers that the demo has started; none outlives the `with` block."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.workers: dict[str, Worker] = {}

    def __enter__(self) -> Self:
        return self

    def start(self, name: str, processes: int) -> Worker:
        """Start one, as a shell would: `umbel -A tasks worker`."""
        log = self.folder / f"worker-{name}.log"
        umbel = [sys.executable, "-m", "umbel", "-A", "tasks"]
        command = [*umbel, "worker", "-n", f"{name}@album", "-c", str(processes), "-l", "INFO"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=HERE,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.workers[name] = Worker(name, process, log)
        return self.workers[name]

    def living(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if not worker.fate]

    def stop(self) -> bool:
        """Ask all that live to stop; True if every one did, in order."""
        asked = self.living()
        for worker in asked:
            worker.process.terminate()
        for worker in asked:
            try:
                worker.fate = f"stopped (exit {worker.process.wait(10)})"
            except subprocess.TimeoutExpired:
                worker.fate = "did not stop when asked to"
        return all(worker.process.returncode == 0 for worker in asked)

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.signal(signal.SIGKILL)
            worker.process.wait()
