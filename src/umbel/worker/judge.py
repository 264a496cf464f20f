"""What is to become of a delivery, decided before the pool sees it, from its headers alone. No I/O."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from umbel import clock
from umbel.client.task import Task
from umbel.errors import DecodeError
from umbel.execution.outcome import Job
from umbel.execution.runnable import find_task
from umbel.follow.links import ORDERS
from umbel.stores.broker import Delivery
from umbel.wire import protocol
from umbel.wire.envelope import Envelope
from umbel.wire.message import Headers, Label
from umbel.worker.ratelimit import Bucket, RateLimits
from umbel.worker.stamps import Stamps
from umbel.worker.ticket import Ticket

EARLY = 0.01
"""Seconds before its time at which a message is run rather than sent back to wait."""
FIRST_PARK, PARK = 0.2, 5.0
"""Seconds for which a message that this worker cannot run is left to others: short at first, since this worker may be the one
that gets it again; then as long as it has been parked, up to the second number."""


STRANGERS = 100.0
"""So many messages of one name that this worker cannot run are looked at again in a second, whatever their number."""
MOST_LINES = 1000
"""Names of which it is known when their last one is looked at again."""


class Verdict(StrEnum):
    """What is to become of a delivery that does not run now."""

    LATER = "later"
    """Not due yet: back to the store for `wait` seconds."""
    THROTTLED = "throttled"
    """Its task's rate limit is used up for `wait` seconds, or others of it wait already: it stands in the line of `bucket`."""
    PARKED = "parked"
    """Not for this worker, maybe for another: back to the store for `wait` seconds."""
    STRANDED = "stranded"
    """Begun with early ack by a worker that is gone: must not run again, is to be told as lost."""
    ORDER = "order"
    """For the worker itself, not for its pool."""
    REVOKED = "revoked"
    """Somebody has called it off, whatever else there is to say of it."""
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """Nobody has known the task for too long: bury."""
    UNREADABLE = "unreadable"
    """No message at all: bury."""


class Judgement(msgspec.Struct):
    """A verdict and what it needs; which fields are set follows from the verdict."""

    verdict: Verdict
    delivery: Delivery
    headers: Headers | None = None
    task: Task[..., Any] | None = None
    wait: float = 0.0
    bucket: Bucket | None = None
    reason: str = ""


class Rules(msgspec.Struct, frozen=True):
    """What a worker's settings say about every message."""

    accept: frozenset[str]
    soft: float | None
    """Soft limit in seconds of tasks that set none; None: no limit."""
    hard: float | None
    unknown_ttl: float
    """Seconds for which a message of an unknown task is parked before it is buried."""


class Options(msgspec.Struct, frozen=True):
    """What a task says of all its calls."""

    task: Task[..., Any]
    name: str
    soft: float | None
    hard: float | None
    tell: bool
    is_async: bool
    early: bool
    bucket: Bucket | None


class Judge:
    """Judges deliveries for one worker. Belongs to the event loop's thread."""

    def __init__(self, tasks: Mapping[str, Task[..., Any]], rules: Rules, limits: RateLimits):
        self._tasks = tasks
        self._rules = rules
        self._buckets = limits.buckets
        self._number = itertools.count(1)
        self._lines: dict[str, float] = {}
        """The turn (monotonic) of the last of each name that was left to others."""
        self.accept = rules.accept
        self.stamps = Stamps()
        """Those whose tasks are revoked."""
        self.label: Callable[[Envelope, frozenset[str]], Label] = protocol.label
        """How what decides is read; `protocol.described` reads what is told of a task as well."""

    def judge_stamps(self, delivery: Delivery, known: dict[str, Options] | None = None) -> Ticket | Judgement:
        """The same while tasks with certain stamps are revoked."""
        if not delivery.revoked:
            delivery.revoked = self.stamps.are_on(delivery, self._rules.accept)
        return self.judge(delivery, known)

    def judge(self, delivery: Delivery, known: dict[str, Options] | None = None) -> Ticket | Judgement:
        """A ticket for one that is to run, else what is to become of it; never raises, whatever its bytes are.

        `known`: options by task, looked up for others of the same batch; this adds to them.
        """
        try:
            label = self.label(delivery.envelope, self._rules.accept)
        except DecodeError as error:
            return Judgement(Verdict.UNREADABLE, delivery, reason=str(error))
        options = (known and known.get(label.task)) or self._options(label.task, known)
        if delivery.revoked:
            return self._refused(Verdict.REVOKED, delivery, options.task if options else None)
        if delivery.begun:
            return Judgement(Verdict.STRANDED, delivery)
        if options is None:
            if label.task in ORDERS:
                return Judgement(Verdict.ORDER, delivery)
            return self._parked(delivery, label.task, f"no worker knows the task {label.task!r}")
        task = options.task
        if label.expires is not None or label.eta is not None:
            verdict = self._by_time(delivery, label, task)
            if verdict is not None:
                return verdict
        hard, soft = label.timelimit
        soft, hard = soft or options.soft, hard or options.hard
        if (bucket := options.bucket) and (wait := bucket.admit(delivery, clock.monotonic())):
            return Judgement(Verdict.THROTTLED, delivery, wait=wait, bucket=bucket)
        number, envelope = next(self._number), delivery.envelope
        job = Job(number, options.name, envelope, delivery.attempt, soft, hard, options.tell, options.is_async)
        return Ticket(delivery, label, task, job, options.early)

    def _options(self, name: str, known: dict[str, Options] | None) -> Options | None:
        task: Any = self._tasks.get(name) or find_task(self._tasks, name)
        if task is None:
            return None
        options = Options(
            task,
            task.name,
            task.soft_time_limit or self._rules.soft,
            task.time_limit or self._rules.hard,
            tell=bool(task.track_started),
            is_async=task.is_async,
            early=not task.acks_late,
            bucket=self._buckets.get(task.name),
        )
        if known is not None:
            known[name] = options
        return options

    def _by_time(self, delivery: Delivery, label: Label, task: Task[..., Any]) -> Judgement | None:
        """What follows from `expires` and `eta` by the store's clock; None if it may run now."""
        now = delivery.when
        try:
            expires, eta = protocol.when(label.expires), protocol.when(label.eta)
        except DecodeError as error:
            return Judgement(Verdict.UNREADABLE, delivery, reason=str(error))
        if expires and expires <= now:
            return self._refused(Verdict.EXPIRED, delivery, task)
        if eta and eta > now + EARLY:
            return Judgement(Verdict.LATER, delivery, wait=eta - now)
        return None

    def _refused(self, verdict: Verdict, delivery: Delivery, task: Task[..., Any] | None, reason: str = "") -> Judgement:
        """One that will never run: whoever waits for it is told, which takes all headers."""
        try:
            headers = protocol.headers(delivery.envelope, self._rules.accept)
        except DecodeError as error:
            return Judgement(Verdict.UNREADABLE, delivery, reason=str(error))
        return Judgement(verdict, delivery, headers, task, reason=reason)

    def _parked(self, delivery: Delivery, name: str, reason: str) -> Judgement:
        """Leave it to others for a while; too long parked (or no patience at all), and it is to be buried.

        Of one name only so many come back each second: however many there are, there is time left for others.
        """
        ttl = self._rules.unknown_ttl
        age = 0.0 if delivery.parked is None else delivery.when - delivery.parked
        if age >= ttl:
            return self._refused(Verdict.UNKNOWN, delivery, None, reason)
        now = clock.monotonic()
        if len(self._lines) > MOST_LINES:
            self._lines.clear()
        wait = max(min(max(age, FIRST_PARK), PARK), self._lines.get(name, 0.0) + 1 / STRANGERS - now)
        self._lines[name] = now + wait
        return Judgement(Verdict.PARKED, delivery, wait=min(wait, ttl - age), reason=reason)
