"""For tests of programs that send tasks: an app in memory, a worker that is stepped by hand, and a clock that jumps."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from umbel import Umbel
from umbel.client import current
from umbel.client.app import Stores
from umbel.errors import TimeoutError
from umbel.execution.outcome import Outcome
from umbel.follow.links import JOIN
from umbel.stores.broker import Buried, Delivery
from umbel.testing.hand import HandBackend, HandBroker, HandWorker
from umbel.testing.moved_clock import MovedClock
from umbel.testing.sent import Sent, listed, read
from umbel.testing.waiting import patience
from umbel.wire.envelope import Envelope

MOST = 10_000
"""Steps after which what never comes to an end is given up."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one message in a step."""

    message: Sent
    state: str
    """SUCCESS, FAILURE, RETRY, IGNORED, REJECTED or REVOKED; empty if it was put back to wait."""
    text: str = ""
    """The repr of the value, or of what was raised."""
    traceback: str = ""

    @property
    def task(self) -> str:
        """The task's name."""
        return self.message.task

    def __str__(self) -> str:
        return f"{self.message} {self.state or 'waits'} {self.text}".rstrip()


class Kit:
    """Inside `with Kit(app) as kit:` nothing of the app's leaves the process, and nothing runs until you say so.

    `kit.step()` runs the next task that is due, `kit.run()` all that are, `kit.advance(days=3)` lets time pass, and `kit.drain()`
    does both until nothing is left. Tasks run in your thread, by a whole worker: retries, callbacks, limits to deliveries, dead
    letters are as they would be; only time limits and rate limits do not count. Who waits for a result makes the worker step.

    `kit.sent` has all messages that were sent, also those that runs have sent.
    """

    def __init__(self, app: Any = None, *, at: datetime.datetime | float | None = None, **settings: Any):
        """`at`: what time it is at first; `settings`: others than the app's own."""
        self.app: Any = Umbel("test", set_as_current=False) if app is None else app
        self.clock = MovedClock(at)
        self.sent: list[Sent] = []
        """All that was sent, in order; `kit.sent.clear()` forgets it."""
        name = f"kit-{next(_numbers)}"
        self.broker = HandBroker(name, sent=self._note)
        self.backend = HandBackend(name, step=self._step_for)
        self._settings = {
            "broker_url": f"memory://{name}",
            "result_backend": f"memory://{name}",
            "beat_store": None,
            "task_always_eager": False,
            "worker_disable_rate_limits": True,
            **settings,
        }
        self._lock = threading.RLock()
        self._worker: HandWorker | None = None
        self._thread: threading.Thread | None = None
        self._trouble: BaseException | None = None

    # Running

    def step(self) -> Ran | None:
        """Run the next task that is due; None if none is."""
        while (ran := self._step()) is not None and ran.task == JOIN:
            continue  # a chord is whole: umbel sends its body, which is the next
        return ran

    def _step(self) -> Ran | None:
        with self._lock:
            if not self.broker.due():
                return None
            worker = self._started()
            before = set(self.broker.open)
            delivery = self._handed_out()
            if delivery is None:  # another thread of the test has purged it
                return None
            with self.broker.moved:
                self._await(lambda: worker.pool.jobs or id(delivery) not in self.broker.open)
                job = worker.pool.jobs.popleft() if worker.pool.jobs else None
            outcome = None
            if job is not None:
                outcome = worker.pool.runner.run(job)
                worker.pool.post(outcome)
            with self.broker.moved:
                self._await(lambda: not set(self.broker.open) - before)
            return self._ran(read(delivery.envelope), outcome)

    def _handed_out(self) -> Delivery | None:
        """Let the worker reserve one."""
        broker = self.broker
        with broker.moved:
            broker.last = None
            broker.allowed += 1
            broker.moved.notify_all()
            self._await(lambda: broker.allowed == 0)
            return broker.last

    def _ran(self, message: Sent, outcome: Outcome | None) -> Ran:
        if outcome is not None:
            return Ran(message, outcome.kind.state, outcome.text, outcome.traceback)
        found = self.backend.fetch([message.id]).get(message.id)
        return Ran(message, found.state if found is not None else "")

    def run(self, *, throw: bool = False, most: int = MOST) -> list[Ran]:
        """Run all that are due, and what they send that is due, too; tells what became of each.

        With `throw` the first failure is an AssertionError with its traceback. So is not coming to an end after `most` steps.
        """
        ran: list[Ran] = []
        while (one := self.step()) is not None:
            ran.append(one)
            if throw and one.state == "FAILURE":
                raise AssertionError(f"{one}\n{one.traceback}")
            if len(ran) >= most:
                raise AssertionError(f"there is still something to run after {most} steps; the last were\n{_lines(ran[-5:])}")
        return ran

    def advance(self, seconds: float | datetime.timedelta = 0.0, **more: float) -> None:
        """Let time pass: `advance(30)`, `advance(days=3)`. It runs nothing."""
        self.clock.advance(seconds, **more)

    def drain(self, *, throw: bool = False, most: int = MOST) -> list[Ran]:
        """Run everything until nothing is left, jumping to whenever the next falls due; tells what became of each."""
        ran = self.run(throw=throw, most=most)
        while (due := self.broker.next_due()) is not None:
            self.clock.go_to(due)
            ran += self.run(throw=throw, most=most)
            if len(ran) >= most:
                raise AssertionError(f"there is still something to run after {most} steps; the last were\n{_lines(ran[-5:])}")
        return ran

    def _step_for(self, ids: Collection[str]) -> None:
        """For who waits for these."""
        if self.step() is None:
            due = self.broker.next_due()
            soon = "nothing is left to run" if due is None else f"nothing is due before {due - self.clock.now.timestamp():g} s"
            raise TimeoutError(f"task {next(iter(ids))} has not ended, and {soon}")

    # Looking

    @property
    def now(self) -> datetime.datetime:
        """What time it is for the app, in UTC."""
        return self.clock.now

    @property
    def due(self) -> int:
        """How many tasks `run` would begin with."""
        return self.broker.due()

    @property
    def later(self) -> int:
        """How many wait for their time."""
        return sum(depth.later for depth in self.broker.depth(self.broker.queues()).values())

    @property
    def dead(self) -> list[Buried]:
        """What was buried, and why."""
        return self.broker.buried()

    def sent_of(self, task: Any) -> list[Sent]:
        """What was sent of a task, given as such or by name."""
        name = task if isinstance(task, str) else task.name
        return [each for each in self.sent if each.task == name]

    def assert_sent(
        self,
        task: Any,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
        **fields: Any,
    ) -> Sent:
        """The last message of a task with these arguments and other fields of `Sent`: `assert_sent(add, (2, 3), queue="sums")`.

        AssertionError if there is none, or not so many `times`.
        """
        unknown = fields.keys() - Sent.__dataclass_fields__.keys()
        if unknown:
            raise TypeError(f"a message has no {min(unknown)!r}; it has {', '.join(Sent.__dataclass_fields__)}")
        wanted = dict(fields)
        if args is not None:
            wanted["args"] = list(args)
        if kwargs is not None:
            wanted["kwargs"] = dict(kwargs)
        found = [each for each in self.sent_of(task) if all(getattr(each, name) == value for name, value in wanted.items())]
        if not found or (times is not None and len(found) != times):
            name = task if isinstance(task, str) else task.name
            with_ = f" with {', '.join(f'{key}={value!r}' for key, value in wanted.items())}" if wanted else ""
            wish = "was not sent" if times is None else f"was sent {len(found)} times, not {times},"
            raise AssertionError(f"{name} {wish}{with_}; sent were\n{listed(self.sent)}")
        return found[-1]

    def assert_not_sent(self, task: Any = None) -> None:
        """AssertionError if a message of the task was sent; without a task: any."""
        found = self.sent if task is None else self.sent_of(task)
        if found:
            raise AssertionError(f"nothing was to be sent{'' if task is None else ' of this task'}; sent were\n{listed(found)}")

    def _note(self, envelope: Envelope) -> None:
        message = read(envelope)
        if message.task != JOIN:
            self.sent.append(message)

    # Its worker

    def _started(self) -> HandWorker:
        if self._worker is None:
            ready = threading.Event()
            worker = HandWorker(self.app, hostname="kit@here", pool="solo", ready=lambda _: ready.set())

            def run() -> None:
                try:
                    worker.run()
                except BaseException as trouble:  # it is told to the thread that makes the steps
                    self._trouble = trouble
                ready.set()

            self._thread = threading.Thread(target=run, name="umbel-kit", daemon=True)
            self._thread.start()
            if not ready.wait(patience()):
                raise AssertionError("the kit's worker does not begin")
            self._worker = worker
        if self._trouble is not None:
            raise AssertionError("the kit's worker has failed") from self._trouble
        return self._worker

    def _await(self, fact: Any) -> None:
        """Wait, holding the condition, for a fact."""
        if not self.broker.moved.wait_for(fact, patience()):
            raise AssertionError("the kit's worker does not go on") from self._trouble

    def __enter__(self) -> Self:
        app = self.app
        app.conf.load()
        self._before = current._here.get(), current._process, current._latest
        app.conf.from_command_line(self._settings)
        self._stores = app.exchange_stores(Stores(self.broker, self.backend, has_backend=True))
        self.backend.expires = app.conf.result_expires or None
        app.set_current()
        self.clock.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._worker is not None and self._thread is not None:
            with self.broker.moved:
                self.broker.leaving = True
                self.broker.moved.notify_all()
            self._worker.stop()
            self._thread.join(patience())
        self.clock.__exit__(kind, error, trace)
        app = self.app
        used = app.exchange_stores(self._stores)
        for store in (used.broker, used.backend, used.schedule, used.channel):
            if store is not None:
                store.close()
        app.conf.forget_command_line(self._settings)
        here, current._process, current._latest = self._before
        current._here.set(here)

    def __repr__(self) -> str:
        return f"<Kit: {self.due} due, {self.later} later, {len(self.sent)} sent>"


def _lines(ran: Sequence[Ran]) -> str:
    return "\n".join(f"  {one}" for one in ran)
