"""umbel's side of the benchmark, at its defaults."""

from __future__ import annotations

import os
import time
from pathlib import Path

from umbel import Umbel

FILE = Path(os.environ.get("BENCH_FILE", "bench.db")).absolute()

app = Umbel("bench", broker=f"sqlite:///{FILE}", backend=f"sqlite:///{FILE}")
SETTINGS = {"task_ignore_result": True}  # where no result is wanted, none is kept
app.conf.update(SETTINGS)


@app.task(name="noop")
def noop() -> None:
    """Nothing."""


@app.task(name="kept", ignore_result=False)
def kept() -> int:
    """Nothing, with a result that is kept."""
    return 1


@app.task(name="mark")
def mark(path: str, text: str) -> None:
    """Append when this ran to a file."""
    with open(path, "a") as file:
        file.write(f"{text} {time.monotonic()}\n")


def send_many(task, count: int) -> None:
    """`count` calls as fast as umbel can."""
    task.delay_many(() for _ in range(count))


def waiting() -> int:
    """How many messages the broker still holds, those in a worker's hands included."""
    depth = app.broker.depth(["celery"])["celery"]
    return depth.ready + depth.held + depth.later


def reset() -> None:
    """An empty store."""
    app.close()
    for path in FILE.parent.glob(FILE.name + "*"):
        path.unlink()
