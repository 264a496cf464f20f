"""One who runs the parts of chords and fires them, as a worker does; and dies when it is told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.join import Arrival
from umbel.testing.given import envelope
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

PARTS, ORDERS, BODIES = "parts", "orders", "bodies"
"""Queues: what is to be run, the orders to fire a chord, and what was sent when it was fired."""


class Death(Exception):
    """Of one who lives in this process: it does nothing any more, and closes nothing."""


def perish() -> None:
    """Die in this process."""
    raise Death


def kill() -> None:
    """Die with this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def part_of(chord: str, index: int) -> Envelope:
    """A message for one part."""
    return envelope(f"{chord}.{index}", PARTS)


def member(id: str, value: str) -> bytes:
    """What is kept of a part."""
    return b'[1, "%s", "SUCCESS", "%s"]' % (id.encode(), value.encode())


def body_of(chord: str, size: int) -> Envelope:
    """What is sent when the chord is fired."""
    members = b",".join(member(f"{chord}.{index}", f"{chord}.{index}") for index in range(size))
    return envelope(f"{chord}.body", BODIES, body=b"[%s]" % members)


class Mortal:
    """Works with one owner; where broker and results are two stores, as such a worker has to. Dies at its step `last`."""

    def __init__(self, broker: Broker, backend: ResultBackend, last: int | None = None, die: Callable[[], None] = perish):
        self._broker = broker
        self._backend = backend
        self._joint = broker.keeps(backend)
        self._last = last
        self._die = die
        self.steps = 0

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._last:
            self._die()

    def work(self) -> bool:
        """Do one thing that is there; False if there is none."""
        held = self._broker.reserve([PARTS, ORDERS], 1, 0)
        self._step()
        for each in held:
            (self._fire if each.queue == ORDERS else self._run)(each)
        return bool(held)

    def _run(self, held: Delivery) -> None:
        chord, _, index = held.envelope.id.rpartition(".")
        results = [Result(held.envelope.id, "SUCCESS", b"{}")]
        then = envelope(f"{chord}.order", ORDERS)
        arrival = Arrival(chord, held.envelope.id, int(index), member(held.envelope.id, held.envelope.id), then)
        if self._joint:
            self._broker.conclude([Conclusion(held, results, arrivals=[arrival])])
        else:
            self._backend.store(results)
            self._step()
            told = self._backend.arrive([arrival])
            self._step()
            self._broker.conclude([Conclusion(held, envelopes=told)])
        self._step()

    def _fire(self, held: Delivery) -> None:
        chord = held.envelope.id.removesuffix(".order")
        found = self._backend.parts(chord)
        self._step()
        if found is None:
            self._broker.conclude([Conclusion(held)])
            return
        assert found.is_whole
        body = envelope(f"{chord}.body", BODIES, body=b"[%s]" % b",".join(found.arrived))
        lost = self._broker.conclude([Conclusion(held, envelopes=[body])])
        self._step()
        if not lost:
            self._backend.done(chord)
        self._step()
