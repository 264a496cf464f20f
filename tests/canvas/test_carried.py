"""Long chains that workers of Celery's may run are carried on by each message; the rest of them is moved without being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from umbel import Umbel, chain, group
from umbel.execution.outcome import Job
from umbel.follow.executor import make_executor
from umbel.signals import before_task_publish
from umbel.wire import protocol


def run_of(app: Umbel, envelope: Any) -> Any:
    """The outcome of this message's run."""
    accept = frozenset({"application/json"})
    executor = make_executor(app.tasks, relay=app.relay, hostname="h", accept=accept, result_serializer="json")
    return executor.run(Job(1, "add", envelope, 1, None, None, False, False))


def test_steps_that_are_moved_unread_are_the_same_as_read_ones() -> None:
    """Who listens to what is sent has all read and written."""
    app = Umbel("unread", broker="memory://unread", backend="memory://unread", task_shared_with_celery=True, set_as_current=False)

    @app.task(name="add")
    def add(x: Any, y: Any = 0) -> Any:
        return x + y

    with app:
        steps = [add.s(0, 1), *(add.s(1).set(priority=number % 3) for number in range(20)), add.s(1).on_error(add.s())]
        chain(*steps, group(add.s(1), add.s(2)), app.signature("elsewhere")).apply_async()
        (held,) = app.broker.reserve(["celery"], 1, 0)
        envelope, count = held.envelope, 0
        while envelope.headers.find(b'"task":"add"') > 0 and count < 21:
            (quick,) = run_of(app, envelope).envelopes
            with listening(before_task_publish, lambda **_: None):
                (patient,) = run_of(app, envelope).envelopes
            assert quick == patient
            envelope, count = quick, count + 1
        assert count == 21


def test_a_task_may_change_what_follows_it() -> None:
    app = Umbel(
        "touched", broker="memory://touched", backend="memory://touched", task_shared_with_celery=True, set_as_current=False
    )

    @app.task(name="add", bind=True)
    def add(self: Any, x: int = 0) -> int:
        self.request.chain = self.request.chain[-1:]
        return x + 1

    with app:
        chain(add.s() for _ in range(10)).apply_async()
        (held,) = app.broker.reserve(["celery"], 1, 0)
        (sent,) = run_of(app, held.envelope).envelopes
        assert protocol.decode(sent, frozenset({"application/json"})).embed.chain == []


@contextmanager
def listening(signal: Any, receiver: Callable[..., None]) -> Iterator[None]:
    signal.connect(receiver, weak=False)
    try:
        yield
    finally:
        signal.disconnect(receiver)
