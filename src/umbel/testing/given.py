"""What the tests of brokers begin with: a store of their own, owners on it, small envelopes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Delivery, Recovered
from umbel.stores.url import open_backend, open_broker
from umbel.testing.waiting import until
from umbel.wire.envelope import Envelope

Another = Callable[..., Broker]


LEASE = 0.25
"""Short, for those who are to be taken for dead."""


def envelope(id: str, queue: str = "q", **fields: Any) -> Envelope:
    """A small envelope."""
    return Envelope(id, queue, fields.pop("headers", b"{}"), fields.pop("body", b"[]"), **fields)


def envelopes(*ids: str, **fields: Any) -> list[Envelope]:
    """Several, the same but for the id."""
    return [envelope(id, **fields) for id in ids]


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    """Which they are."""
    return [delivery.envelope.id for delivery in deliveries]


def recovered(broker: Broker) -> Recovered:
    """What `recover` did, once it did anything: leases take their time to run out."""

    def look() -> Recovered | None:
        found = broker.recover()
        return found if found.returned or found.stranded else None

    found = until(look)
    assert found is not None
    return found


def drain(broker: Broker, *queues: str, limit: int = 100) -> list[Delivery]:
    """All that is ready."""
    found: list[Delivery] = []
    while more := broker.reserve(queues or ["q"], limit, 0):
        found += more
    return found


class Given:
    """Override `url`; override also `make` and `make_backend` if the store is not known to `umbel.stores.url`."""

    shared_by_processes = True
    """False if a forked child finds an empty store of its own."""

    @pytest.fixture
    def url(self) -> str:
        """Where the store of this test is; empty, and no other test's."""
        raise AssertionError("override the fixture `url`")

    def make(self, url: str, **options: Any) -> Broker:
        """One more owner on the store."""
        return open_broker(url, **options)

    def make_backend(self, url: str, expires: float | None) -> ResultBackend:
        """The result backend that is the same store as the broker's."""
        return open_backend(url, expires=expires)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Another]:
        """Opens one more owner, and closes it when the test is over."""
        opened: list[Broker] = []

        def open_one(**options: Any) -> Broker:
            opened.append(self.make(url, **options))
            return opened[-1]

        yield open_one
        for broker in opened:
            broker.close()

    @pytest.fixture
    def broker(self, another: Another) -> Broker:
        """An owner that lives as long as the test."""
        return another()

    @pytest.fixture
    def backend(self, url: str) -> Iterator[ResultBackend]:
        """The results of the same store."""
        backend = self.make_backend(url, 60.0)
        yield backend
        backend.close()


def in_a_child(work: Callable[[], bool]) -> bool:
    """What `work` says in a forked child, which ends without touching anything of the parent's."""
    child = os.fork()
    if not child:
        code = 2
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
