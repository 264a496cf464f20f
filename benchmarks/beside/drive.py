"""Measures one row of one system, in that system's environment: drive.py APP ROW COUNT WORKER-COMMAND...

Prints one JSON object. The same code drives all systems; only the `*_app` modules differ.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import work
from place import FOLDER, STORE, ask
from processes import burnt, running, until, weight

Numbers = dict[str, float]
WARM = 20
"""Calls before those whose time counts."""


class Drive:
    """One system under measurement."""

    def __init__(self, app: str, count: int, worker: list[str]) -> None:
        self.system: Any = importlib.import_module(app)
        self.count = count
        self.worker = worker
        self.log = FOLDER / "worker.log"

    def send(self, name: str, count: int, *more: object) -> None:
        """Fill the queue in the fastest way there is, each call with its number."""
        send = self.system.send_batch or self.system.send_each
        send(name, ((number, *more) for number in range(count)))

    def ran(self, numbers: Iterable[int]) -> Callable[[], bool]:
        """A fact to wait for: all these have run. Looks at each only until it has."""
        left = iter(numbers)
        first = next(left)

        def all_have() -> bool:
            nonlocal first
            while work.TIMES[first]:
                if (following := next(left, None)) is None:
                    return True
                first = following
            return False

        return all_have

    def rate(self, send: Callable[[str, Iterable[tuple[()]]], None]) -> Numbers:
        send("noop", [()] * 100)
        begin = time.perf_counter()
        send("noop", (() for _ in range(self.count)))
        return {"rate": self.count / (time.perf_counter() - begin)}

    def send_one(self) -> Numbers:
        """Calls in a loop."""
        return self.rate(self.system.send_each)

    def send_batch(self) -> Numbers:
        """Many calls of one task, as fast as the system can."""
        return self.rate(self.system.send_batch)

    def drain(self, name: str = "mark", *more: object) -> Numbers:
        """From the start of the first task to the store empty; the start of the worker is not in it."""
        self.send(name, self.count, *more)
        with running(self.worker, self.log) as worker:
            until(self.ran(range(self.count)), "the last task", worker)
            end = until(lambda: self.system.waiting() == 0, "an empty queue", worker)
        return {"rate": self.count / (end - min(work.TIMES[: self.count]))}

    def drain_kept(self) -> Numbers:
        """The same, and a result is kept of each."""
        numbers = self.drain("kept")
        if self.system.results() != self.count:
            raise SystemExit(f"{self.system.results()} results of {self.count} tasks")
        return numbers

    def drain_large(self) -> Numbers:
        """The same with long arguments."""
        return self.drain("large", "x" * 100_000)

    def spin(self) -> Numbers:
        """Real work, compared to what two processes could do if all else took no time."""
        return {"share": self.drain("spin")["rate"] * 0.001 / 2}

    def spin_long(self) -> Numbers:
        """More of it."""
        return {"share": self.drain("spin_long")["rate"] * 0.010 / 2}

    def latency(self) -> Numbers:
        """From the call to the first line of the task, with an idle worker; milliseconds."""
        took = []
        with running(self.worker, self.log) as worker:
            for number in range(self.count + WARM):
                called = time.monotonic()
                self.system.send_each("mark", [(number,)])
                time.sleep(random.uniform(0.008, 0.03))  # so that no timer of any system keeps step
                until(self.ran([number]), "a task", worker)
                took.append((work.TIMES[number] - called) * 1000)
        took = sorted(took[WARM:])
        return {"p50": statistics.median(took), "p99": took[int(len(took) * 0.99)]}

    def canvas(self, run: Callable[[int], int]) -> Numbers:
        """From the call to all results, with an idle worker that has run a small one before."""
        with running(self.worker, self.log):
            run(WARM)
            begin = time.perf_counter()
            found = run(self.count)
            took = time.perf_counter() - begin
        if found != self.count:
            raise SystemExit(f"{found} results of {self.count} tasks")
        return {"rate": self.count / took}

    def group(self) -> Numbers:
        """Calls side by side."""
        return self.canvas(self.system.run_group)

    def chord(self) -> Numbers:
        """Calls side by side, and one with the values of all."""
        return self.canvas(self.system.run_chord)

    def chain(self) -> Numbers:
        """Calls one after the other."""
        return self.canvas(self.system.run_chain)

    def group_memory(self) -> Numbers:
        """What this process, which sends a group and reads all its results, takes at most; megabytes."""
        self.canvas(self.system.run_group)
        return {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    def naps(self) -> Numbers:
        """From the start of the first task that sleeps a second to the end of the last, in a hundred slots."""
        self.send("nap", self.count)
        with running(self.worker, self.log) as worker:
            until(self.ran(range(1, 2 * self.count, 2)), "the last task", worker)
        times = work.TIMES[: 2 * self.count].tolist()
        return {"stretch": (max(times) - min(times)) / (work.NAP * math.ceil(self.count / 100))}

    def start(self) -> Numbers:
        """From the start of the worker's process to its first task run; seconds."""
        self.system.send_each("mark", [(0,)])
        begin = time.monotonic()
        with running(self.worker, self.log) as worker:
            until(self.ran([0]), "the first task", worker)
        return {"seconds": work.TIMES[0] - begin}

    start_plain = start

    def memory(self) -> Numbers:
        """A worker that has run some tasks and is idle since two seconds; megabytes (PSS)."""
        self.send("mark", self.count)
        with running(self.worker, self.log) as worker:
            until(self.ran(range(self.count)), "idleness", worker)
            time.sleep(2)
            return {"megabytes": weight(worker.pid)}

    def idle(self) -> Numbers:
        """A worker that has run a task and has nothing more to do: what it takes in ten seconds, and what it asks Redis for."""
        self.system.send_each("mark", [(0,)])
        with running(self.worker, self.log) as worker:
            until(self.ran([0]), "the first task", worker)
            time.sleep(2)
            spent, asked, begin = burnt(worker.pid), commands(), time.monotonic()
            time.sleep(10)
            took = time.monotonic() - begin
            found = {"core": (burnt(worker.pid) - spent) / took * 100}
            if asked:  # it has none if it needs none
                found["commands"] = (commands() - asked) / took
        return found

    idle_many = idle

    def crowd(self) -> Numbers:
        """Reserving from a store with a thousand messages and from one with `count`, in turn; microseconds for each."""
        return self.system.crowd(self.count)


def commands() -> int:
    """How many the server has run for others; 0 where no server is used."""
    if STORE != "redis":
        return 0
    return int(ask("INFO", "stats")["total_commands_processed"])


def main(app: str, row: str, count: str, *worker: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    drive = Drive(app, int(count), list(worker))
    measure: Callable[[], Numbers] = getattr(drive, row)
    print(json.dumps(measure()))


if __name__ == "__main__":
    main(*sys.argv[1:])
