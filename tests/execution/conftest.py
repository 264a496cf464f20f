"""A house with tasks, where messages can be run as a pool would run them."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from umbel import Umbel, signals
from umbel.execution.outcome import Job
from umbel.follow.executor import make_executor
from umbel.wire import protocol, result
from umbel.wire.encoding import accept_types
from umbel.wire.message import Embed, Headers, Message

ACCEPT = accept_types(["json"])


@dataclass
class House:
    """An app, and an executor that knows its tasks."""

    app: Umbel
    options: dict = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def executor(self):
        return make_executor(self.app.tasks, **{"relay": self.app.relay, "hostname": "w1@host", "accept": ACCEPT, **self.options})

    def task(self, *args, **options):
        return self.app.task(*args, **options)

    def job(self, task, *args, kwargs=None, embed=None, extra=None, soft=None, hard=None, attempt=1, to=None, **headers):
        name = getattr(task, "name", task)
        message = Message(Headers(task=name, **{"id": "id-1", **headers}), args, kwargs or {}, embed or Embed(), extra or {})
        envelope = protocol.encode(message, **{"queue": "celery", **(to or {})})
        is_async = bool(getattr(task, "is_async", False))
        return Job(next(self.numbers), name, envelope, attempt, soft, hard, is_async=is_async)

    def run(self, task, *args, **options):
        return self.executor.run(self.job(task, *args, **options))

    def run_async(self, task, *args, **options):
        return asyncio.run(self.executor.run_async(self.job(task, *args, **options)))


@pytest.fixture
def house():
    with Umbel("proj", set_as_current=False, broker="memory://", task_default_queue="celery") as app:
        yield House(app)


@pytest.fixture
def told(monkeypatch):
    """Signals and hooks in the order in which they were called, as (name, arguments)."""
    diary = []
    names = ("task_prerun", "task_postrun", "task_success", "task_failure", "task_retry", "task_internal_error")
    receivers = []
    for name in names:

        def receive(name=name, **arguments):
            arguments.pop("signal")
            diary.append((name, arguments))

        receivers.append((getattr(signals, name), receive))
        getattr(signals, name).connect(receive)
    yield diary
    for signal, receive in receivers:
        signal.disconnect(receive)


@pytest.fixture
def document():
    """Reads a result document."""
    return lambda stored: result.decode(stored, ACCEPT)


@pytest.fixture
def message():
    """Reads a follow-up."""
    return lambda envelope: protocol.decode(envelope, ACCEPT)
