"""A project as a user has one: a module with an app in a folder of its own, and workers started from the shell."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from tests.programs.nursery import Process, nursery

from umbel import Umbel
from umbel.testing.waiting import patience, until

HEAD = """
import asyncio, os, signal, sys, time
from umbel import Umbel
app = Umbel("proj", broker="{store}", backend="{store}", broker_lease={lease})

def tell(*words):
    fd = os.open("{effects}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (" ".join(map(str, words)) + "\\n").encode())
    os.close(fd)
"""


PROC = Path("/proc/thread-self/children")
"""Linux tells there what a process has started."""


def children(pid: int) -> list[int]:
    """What Linux says that the first thread of a process has started; while one of them ends, others may be left out."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []


class Worker:
    """A worker process; its log is what it wrote to stderr and stdout."""

    def __init__(self, process: Process, logfile: Path):
        self.process = process
        self.logfile = logfile
        self.seen = {process.pid}
        """All processes that were ever seen in its family."""

    @property
    def log(self) -> str:
        """All that it has said so far."""
        return self.logfile.read_text(errors="replace")

    def family(self) -> list[int]:
        """Its own process and all below it, parents before their children."""
        try:
            below = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        pids = [self.process.pid, *(process.pid for process in below)]
        self.seen.update(pids)
        return pids

    def has_children(self) -> bool:
        """True if it has a nursery and that has children. Asked often, so nobody looks at all processes of the machine for it."""
        if not PROC.exists():
            return len(self.family()) > 2
        nurseries = children(self.process.pid)
        born = [pid for nursery in nurseries for pid in children(nursery)]
        self.seen.update(nurseries, born)
        return bool(born)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(patience())

    def kill_all(self) -> None:
        """End its whole family at once, as a machine that loses power would."""
        for pid in self.family():
            with_patience(pid)
        self.process.wait(patience())


def with_patience(pid: int) -> None:
    """Kill one process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Project:
    """A folder with `proj.py`, its store, and the file in which its tasks write what they did."""

    def __init__(self, folder: Path, tasks: str, *, lease: float = 30.0, store: str | None = None):
        """`store` is a URL; a file in the folder if none is given."""
        self.folder = folder
        self.lease = lease
        self.effects_file = folder / "effects.txt"
        self.store = store or f"sqlite:///{folder}/queue.db"
        head = HEAD.format(store=self.store, lease=lease, effects=self.effects_file)
        (folder / "proj.py").write_text(head + textwrap.dedent(tasks))
        self.app = Umbel("client", broker=self.store, backend=self.store, broker_lease=lease, set_as_current=False)
        self._count = 0

    def effects(self) -> list[list[str]]:
        """The words of each line that tasks have written, whole lines only."""
        if not self.effects_file.exists():
            return []
        return [line.split() for line in self.effects_file.read_text().split("\n")[:-1]]

    def start(self, *options: str, app: str = "proj", env: dict[str, str] | None = None) -> Worker:
        """Start a worker; it may not be ready yet."""
        self._count += 1
        logfile = self.folder / f"worker{self._count}.log"
        command = [sys.executable, "-m", "umbel", "-A", app, "worker", "-l", "INFO", "-n", f"w{self._count}@host", *options]
        with logfile.open("wb") as out:
            process = nursery(Path(sys.executable)).start(command, cwd=self.folder, stdout=out, env={**os.environ, **(env or {})})
        return Worker(process, logfile)

    @contextmanager
    def worker(self, *options: str, app: str = "proj", env: dict[str, str] | None = None) -> Iterator[Worker]:
        """A worker that is ready; whatever is left of it at the end is killed."""
        worker = self.start(*options, app=app, env=env)
        try:
            until(lambda: "ready." in worker.log or worker.process.poll() is not None, saying=lambda: worker.log)
            assert worker.process.poll() is None, worker.log
            yield worker
        finally:
            worker.kill_all()
