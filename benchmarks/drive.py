"""Measures one row of one system, in that system's environment: drive.py APP ROW COUNT FOLDER WORKER-COMMAND...

Prints one JSON object. The same code drives both systems; only `celery_app` and `umbel_app` differ.
"""

from __future__ import annotations

import importlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import running, until, weight

Numbers = dict[str, float]


class Drive:
    """One system under measurement."""

    def __init__(self, app: str, count: int, folder: Path, worker: list[str]) -> None:
        self.system: Any = importlib.import_module(app)
        self.count = count
        self.worker = worker
        self.log = folder / f"{app}.log"
        self.marks = folder / f"{app}.marks"
        self.marks.unlink(missing_ok=True)
        self.system.reset()

    def mark(self, text: str) -> None:
        self.system.mark.delay(str(self.marks), text)

    def marked(self) -> dict[str, float]:
        """What marker tasks have written: text → when."""
        if not self.marks.exists():
            return {}
        lines = self.marks.read_text().split("\n")[:-1]
        return {text: float(when) for text, when in (line.split(" ") for line in lines)}

    def send_one(self) -> Numbers:
        """`delay()` in a loop."""
        for _ in range(100):
            self.system.noop.delay()
        begin = time.perf_counter()
        for _ in range(self.count):
            self.system.noop.delay()
        return {"rate": self.count / (time.perf_counter() - begin)}

    def send_batch(self) -> Numbers:
        """Many calls of one task, as fast as the system can."""
        self.system.send_many(self.system.noop, 100)
        begin = time.perf_counter()
        self.system.send_many(self.system.noop, self.count)
        return {"rate": self.count / (time.perf_counter() - begin)}

    def drain(self, task: str = "noop") -> Numbers:
        """From a tenth of a full queue run to the store empty; the start of the worker is not in it."""
        tenth = self.count // 10
        self.system.send_many(getattr(self.system, task), tenth)
        self.mark("tenth")
        self.system.send_many(getattr(self.system, task), self.count - tenth)
        self.mark("last")
        with running(self.worker, self.log) as worker:
            until(lambda: "last" in self.marked(), "the last task", worker)
            empty = until(lambda: self.system.waiting() == 0, "an empty queue", worker)
        return {"rate": (self.count - tenth) / (empty - self.marked()["tenth"])}

    def drain_kept(self) -> Numbers:
        """The same, and a result is kept of each."""
        return self.drain("kept")

    def latency(self) -> Numbers:
        """From `delay()` to the first line of the task, with an idle worker; milliseconds."""
        with running(self.worker, self.log) as worker:
            for number in range(self.count + 20):
                self.mark(f"{number}:{time.monotonic()}")
                until(lambda number=number: len(self.marked()) > number, "a task", worker, every=0.001)
                time.sleep(random.uniform(0.005, 0.03))  # so that no timer of either system keeps step
        took = sorted((began - float(text.partition(":")[2])) * 1000 for text, began in list(self.marked().items())[20:])
        return {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}

    def start(self) -> Numbers:
        """From the start of the worker's process to its first task run; seconds."""
        self.mark("first")
        begin = time.monotonic()
        with running(self.worker, self.log) as worker:
            until(lambda: bool(self.marked()), "the first task", worker)
        return {"seconds": self.marked()["first"] - begin}

    start_plain = start

    def memory(self) -> Numbers:
        """A worker that has run 200 tasks and is idle since two seconds; megabytes (PSS)."""
        self.system.send_many(self.system.noop, 200)
        self.mark("last")
        with running(self.worker, self.log) as worker:
            until(lambda: bool(self.marked()) and self.system.waiting() == 0, "idleness", worker)
            time.sleep(2)
            return {"megabytes": weight(worker.pid)}


def main(app: str, row: str, count: str, folder: str, *worker: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    drive = Drive(app, int(count), Path(folder), list(worker))
    measure: Callable[[], Numbers] = getattr(drive, row)
    try:
        print(json.dumps(measure()))
    finally:
        drive.system.reset()


if __name__ == "__main__":
    main(*sys.argv[1:])
