"""Processes of the benchmark: started in sessions of their own, always ended, and weighed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, until the block ends; then it and its children are asked to stop, and made to after a second."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def until(fact: Callable[[], bool], what: str, process: subprocess.Popen[bytes], every: float = 0.005) -> float:
    """Wait for a fact; gives when it was seen."""
    end = time.monotonic() + PATIENCE
    while not fact():
        if process.poll() is not None:
            raise SystemExit(f"the worker ended ({process.returncode}) before {what}")
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not happen in {PATIENCE:.0f} s")
        time.sleep(every)
    return time.monotonic()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += family(int(path.parent.name))
    return found


def burnt(pid: int) -> float:
    """Seconds of processor time that a process tree has used, with those of its children that have ended."""
    ticks = 0
    for member in family(pid):
        ticks += sum(map(int, Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def weight(pid: int) -> float:
    """Megabytes that a process tree really takes: what is shared counts once (proportional set size)."""
    kilobytes = 0
    for member in family(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024
