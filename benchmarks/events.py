"""What events cost: `python benchmarks/events.py [URL of a Redis]`.

Microseconds for each task of making, writing and taking in its three events; with a Redis also how many tasks a worker with two
processes runs in a second, and for how many microseconds each, of all its processes and of its own: without events, with events
that nobody listens to, and with a watcher that takes all of them in and does nothing with them. The three take turns, and what is
printed last is the best of each: whoever else uses the machine only adds to that, and up to as much again. At the end 20,000
tasks are sent in each second: how many run, how long after it was sent the last has, and how much of a core the worker takes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Self

import psutil

from umbel import Umbel
from umbel.events.sender import Sender
from umbel.events.state import State
from umbel.execution.outcome import Job, Kind, Outcome
from umbel.stores.broker import Delivery
from umbel.stores.redis import note as kombu
from umbel.wire import protocol
from umbel.wire.ids import new_id
from umbel.wire.message import Headers, Message
from umbel.worker.book import Book
from umbel.worker.herald import Herald
from umbel.worker.ticket import Ticket

ROUNDS, MANY, TASKS = 20, 200, 60_000
ROUNDS_OF_WORKERS = 9
RATE, FOR = 20_000, 5
"""Tasks sent in a second, and for how many seconds."""
PROJECT = """
import sys
from umbel import Umbel
app = Umbel("bench", broker={place!r}, backend="disabled://")

@app.task(name="noop", ignore_result=True)
def noop(): pass
"""


class Kept(Sender):
    """Keeps what it is to send."""

    def __init__(self) -> None:
        super().__init__(lambda: None)  # type: ignore[arg-type,return-value]  # it never opens one
        self.kept = []

    def send(self, events):
        self.kept.extend(events)


def spent(run) -> float:
    """Microseconds of processor time for each task."""
    run()
    began = time.process_time()
    for _ in range(ROUNDS):
        run()
    return (time.process_time() - began) / ROUNDS / MANY * 1e6


def pieces() -> None:
    with Umbel("bench", broker="memory://bench", set_as_current=False) as app:
        noop = app.task(lambda: None, name="noop")
        accept = frozenset({"application/json"})
        tickets, ended = [], []
        for number in range(MANY):
            envelope = protocol.encode(Message(Headers(task="noop", id=new_id(), ignore_result=True), (1, 2)), queue="celery")
            label = protocol.described(envelope, accept)
            ticket = Ticket(Delivery(envelope, "celery", None, 1), label, noop, Job(number, "noop", envelope), early=False)
            tickets.append(ticket)
            ended.append((ticket, Outcome(number, Kind.SUCCESS, runtime=0.001, text="3")))
        dispatcher = app.events.of_node("w@h")
        sender = dispatcher.sender = Kept()
        herald = Herald(dispatcher, None, Book.__new__(Book), every=None, on=True, accept=accept)  # type: ignore[arg-type]

        def tell() -> None:
            sender.kept.clear()
            herald.received(tickets)
            herald.succeeded(ended)

        print(f"telling the sender of them     {spent(tell):6.2f} µs")
        received, succeeded = sender.kept
        print(f"making `received`              {spent(received.events):6.2f} µs")
        print(f"making `started`, `succeeded`  {spent(succeeded.events):6.2f} µs")
        print(f"making and writing them        {spent(lambda: list(sender._notes(sender.kept))):6.2f} µs")
        notes = list(sender._notes(sender.kept))
        print(
            f"kombu's envelope               {spent(lambda: [kombu.write(each, each.topic, each.key) for each in notes]):6.2f} µs"
        )
        reader = app.events.listener(None).reader
        read = [event for note in notes for event in reader.read(note.body, note.content_type, note.content_encoding)]
        print(
            f"reading them                   "
            f"{spent(lambda: [reader.read(n.body, n.content_type, n.content_encoding) for n in notes]):6.2f} µs"
        )
        state = State()
        print(f"taking them into a State       {spent(lambda: [state.event(event) for event in read]):6.2f} µs")


WATCHER = """
import sys
from umbel.stores.channel import EVENTS
from umbel.stores.url import open_channel
with open_channel(sys.argv[1]).subscribe([EVENTS + "/*"]) as heard:
    print("listening", flush=True)
    while True:
        heard.receive(10)
"""


@contextmanager
def watcher(place: str) -> Iterator[None]:
    """Somebody who listens to all events."""
    with subprocess.Popen([sys.executable, "-c", WATCHER, place], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


class Running:
    """A worker with two processes, as long as the block runs, and the queue before it, with so many tasks at first."""

    def __init__(self, place: str, options: tuple[str, ...], tasks: int):
        self._stack = ExitStack()
        self._app = self._stack.enter_context(Umbel("bench", broker=place, set_as_current=False))
        self._task = self._app.task(lambda: None, name="noop", ignore_result=True)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder, "bench_app.py").write_text(PROJECT.format(place=place))
        self.send(tasks)
        command = [sys.executable, "-m", "umbel", "-A", "bench_app", "worker", "-c", "2", "-l", "ERROR", *options]
        self._process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=os.environ)
        self._top = psutil.Process(self._process.pid)

    def send(self, count: int) -> None:
        """Let so many more wait."""
        self._task.delay_many([()] * count)

    def left(self) -> int:
        """How many have not run."""
        depth = self._app.broker.depth(["celery"])["celery"]
        return depth.ready + depth.held

    def until(self, most: int) -> int:
        """Wait until at most so many are left; gives how many are."""
        while (left := self.left()) > most:
            time.sleep(0.01)
        return left

    def seconds(self) -> tuple[float, float]:
        """Processor time so far, of the worker's own process and of all of its."""
        own = sum(self._top.cpu_times()[:2])
        return own, own + sum(sum(child.cpu_times()[:2]) for child in self._top.children(recursive=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        self._stack.close()


def drain(place: str, *options: str) -> tuple[float, float, float]:
    """Drain a full queue; gives tasks in a second, and microseconds for each of all processes and of the worker's own."""
    with Running(place, options, TASKS) as worker:
        first = worker.until(int(TASKS * 0.9))
        began, before = time.monotonic(), worker.seconds()
        last = worker.until(int(TASKS * 0.05))
        took, after = time.monotonic() - began, worker.seconds()
    done = first - last
    own, whole = ((b - a) / done * 1e6 for a, b in zip(before, after, strict=True))
    return done / took, whole, own


def keep_up(place: str, *options: str) -> tuple[float, float, float]:
    """Send at a steady rate; gives how many ran in a second, seconds from the last one's sending to its end, and cores taken."""
    with Running(place, options, 1) as worker:
        worker.until(0)
        began, before, sent = time.monotonic(), worker.seconds(), 0
        while sent < RATE * FOR:
            due = min(int((time.monotonic() - began) * RATE), RATE * FOR)
            if due > sent:
                worker.send(due - sent)
                sent = due
            time.sleep(0.01)
        over = time.monotonic()
        worker.until(0)
        end, after = time.monotonic(), worker.seconds()
    return sent / (end - began), end - over, (after[1] - before[1]) / (end - began)


def compare(place: str) -> None:
    """The three ways, by turns."""
    found: dict[str, list[tuple[float, float, float]]] = {"without events": [], "unheard events": [], "watched events": []}

    def say(name: str, rate: float, whole: float, own: float) -> None:
        print(f"{name:14} {rate:8,.0f} tasks/s, {whole:5.1f} µs each, {own:5.1f} of the worker's own", flush=True)

    for _ in range(ROUNDS_OF_WORKERS):
        found["without events"].append(drain(place))
        found["unheard events"].append(drain(place, "-E"))
        with watcher(place):
            found["watched events"].append(drain(place, "-E"))
        for name, rounds in found.items():
            say(name, *rounds[-1])
    print("at best")
    for name, rounds in found.items():
        rates, whole, own = zip(*rounds, strict=True)
        say(name, max(rates), min(whole), min(own))
    print(f"{RATE:,} a second are sent")
    for name, options in (("without events", ()), ("watched events", ("-E",))):
        with watcher(place) if options else nullcontext():
            rate, late, cores = keep_up(place, *options)
        print(f"{name:14} {rate:8,.0f} tasks/s, the last {late:.2f} s after it was sent, {cores:.2f} of a core", flush=True)


if __name__ == "__main__":
    pieces()
    for place in sys.argv[1:]:
        compare(place)
