"""Chords of which Celery's workers run some parts and our store counts others: whoever comes last, the body is fired once."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.interop.fleet import Agent, Fleet

from umbel import states
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.join import Arrival
from umbel.stores.redis.backend import RedisBackend
from umbel.stores.url import open_backend, open_broker
from umbel.testing.waiting import patience, until
from umbel.wire import protocol, result
from umbel.wire.encoding import accept_types
from umbel.wire.envelope import Envelope
from umbel.wire.message import Headers, Message

JSON = accept_types(["json"])
_numbers = itertools.count(1)


@dataclass
class Side:
    """A Celery worker that serves the queue `celery`, a client of Celery's, and a store of ours that does what lies in `ours`."""

    fleet: Fleet
    agent: Agent
    broker: Broker
    backend: RedisBackend
    orders: str = field(default_factory=lambda: f"fire{next(_numbers)}")
    """The queue of the orders to fire."""
    fired: list[str] = field(default_factory=list)
    """The chords that ended here."""

    def begin(self, *parts: str, code: str = "shop.add.s(index, 100)") -> str:
        """Have Celery's client send a chord, each part to one of these queues; gives its group's id."""
        told: str = self.agent.ask(
            f"""
            from celery import chord
            header = [{code}.set(queue=queue) for index, queue in enumerate({parts!r})]
            chord(header)(shop.show.s().set(queue="celery")).parent.id
            """
        )
        return told

    def take(self, count: int = 100, queue: str = "ours") -> list[Delivery]:
        """What waits here for us."""
        return self.broker.reserve([queue], count, 0)

    def ending(self, held: Delivery, state: str = states.SUCCESS, **grown: int) -> Conclusion:
        """How a part ends that we have run, as a worker of ours tells it."""
        message = protocol.decode(held.envelope, JSON)
        headers, chord = message.headers, message.embed.chord
        assert headers.group is not None
        value: Any = sum(message.args)
        if state != states.SUCCESS:
            value = {"exc_type": "LookupError", "exc_message": ["gone"], "exc_module": "builtins"}
        part = json.dumps([1, headers.id, state, value]).encode()
        then = Envelope(f"fire {headers.group}", self.orders, b"{}", json.dumps([headers.group, chord]).encode())
        document = result.encode(headers.id, state, value if state == states.SUCCESS else LookupError("gone"))
        arrival = Arrival(headers.group, headers.id, headers.group_index, part, then, **grown)
        return Conclusion(held, [document], arrivals=[arrival])

    def end_all(self) -> None:
        """Run what lies here, and fire the chords that end by that."""
        self.broker.conclude([self.ending(each) for each in self.take()])
        self.fire()

    def fire(self) -> None:
        """Fire each chord that was completed here."""
        for order in self.take(queue=self.orders):
            chord, body = json.loads(order.envelope.body)
            found = self.backend.parts(chord)
            if found is None:
                self.broker.conclude([Conclusion(order)])
                continue
            assert found.is_whole
            id_ = body["options"]["task_id"]
            headers = Headers(task=body["task"], id=id_, root_id=id_, argsrepr="()", kwargsrepr="{}", group=chord)
            values = [json.loads(each)[3] for each in found.arrived]
            sent = protocol.encode(Message(headers, (values,)), queue="celery")
            self.broker.conclude([Conclusion(order, envelopes=[sent])])
            self.backend.done(chord)
            self.fired.append(chord)

    def shown(self) -> list[str]:
        """What bodies have said."""
        return sorted(words[1] for words in self.fleet.effects())

    def claim(self, chord: str) -> Any:
        """Who may fire it."""
        return self.backend._link.ask("GET", f"{self.backend.prefix}celery-taskset-meta-{chord}.c")


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    fleet = make_fleet(PREFIX="pfx:")
    fleet.ready(fleet.start("celery", "-Q", "celery", "-c", "2"))
    fleet.agent("celery")
    return fleet


@pytest.fixture
def side(fleet: Fleet) -> Iterator[Side]:
    prefix = {"global_keyprefix": fleet._env["PREFIX"]}
    broker = open_broker(fleet.broker, options={**prefix, "celery_workers": True})
    backend = open_backend(fleet._env["BACKEND"], expires=600, options=prefix)
    assert isinstance(backend, RedisBackend)
    assert broker.keeps(backend)
    fleet.effects_file.unlink(missing_ok=True)
    yield Side(fleet, fleet._agents[0], broker, backend)
    broker.close()
    backend.close()


def test_celery_ends_a_chord_of_which_we_have_run_parts(side: Side) -> None:
    chord = side.begin("ours", "celery", "ours", "hidden")
    side.end_all()
    until(lambda: (found := side.backend.parts(chord)) is not None and len(found.arrived) == 3)
    assert side.shown() == []
    hidden = side.take(queue="hidden")
    side.broker.conclude([Conclusion(hidden[0], envelopes=[_moved(hidden[0], "celery")])])
    until(side.shown)
    assert side.shown() == ["[100,_101,_102,_103]"]
    until(lambda: side.claim(chord) == b"done")
    assert side.backend.parts(chord) is None
    assert side.take(queue=side.orders) == []


def test_we_end_a_chord_of_which_celery_has_run_parts(side: Side) -> None:
    chord = side.begin("celery", "ours", "celery", "ours")
    until(lambda: (found := side.backend.parts(chord)) is not None and len(found.arrived) == 2)
    held = side.take()
    side.broker.conclude([side.ending(held[1])])
    assert side.take(queue=side.orders) == []
    side.broker.conclude([side.ending(held[0])])
    assert side.shown() == []
    side.fire()
    until(side.shown)
    assert side.shown() == ["[100,_101,_102,_103]"]
    assert side.claim(chord) == b"done"


def test_of_many_chords_each_ends_once_whoever_comes_last(side: Side) -> None:
    chords = {}
    for number in range(24):
        # The first is ours alone: a machine may be so slow that Celery comes last at each of the others.
        queues = [random.choice(["ours", "celery"]) if number else "ours" for _ in range(random.randint(2, 6))]
        chords[side.begin(*queues, code=f"shop.add.s({number * 1000}, index)")] = number, len(queues)
        if number % 3 == 0:
            side.end_all()

    def all_shown() -> bool:
        side.end_all()
        return len(side.shown()) >= len(chords)

    until(all_shown)
    wanted = [str([number * 1000 + index for index in range(size)]).replace(" ", "_") for number, size in chords.values()]
    assert side.shown() == sorted(wanted)
    assert 0 < len(side.fired) <= len(chords)
    until(lambda: all(side.claim(chord) == b"done" for chord in chords))


def test_both_who_end_parts_at_the_same_moment_fire_it_once(side: Side) -> None:
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            side.broker.conclude([side.ending(each) for each in side.broker.reserve(["ours"], 1, 0.05)])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        chords = [side.begin(*["ours", "celery"] * 3, code=f"shop.add.s({number * 10}, index)") for number in range(12)]

        def all_shown() -> bool:
            side.fire()
            return len(side.shown()) >= len(chords)

        until(all_shown)
    finally:
        stop.set()
        for thread in threads:
            thread.join(patience())
    until(lambda: all(side.claim(chord) == b"done" for chord in chords))
    side.fire()
    assert side.shown() == sorted(str([number * 10 + index for index in range(6)]).replace(" ", "_") for number in range(12))


def test_a_part_that_comes_again_to_either_side_fires_nothing(side: Side) -> None:
    chord = side.begin("ours", "hidden")
    (held,) = side.take()
    (hidden,) = side.take(queue="hidden")
    copies = [_moved(held, "ours"), _moved(hidden, "ours"), _moved(held, "celery"), _moved(hidden, "celery")]
    side.broker.conclude([side.ending(held), Conclusion(hidden, envelopes=copies)])

    def is_over() -> bool:
        side.end_all()
        return side.claim(chord) == b"done" and not side.broker.depth(["ours"])["ours"].ready

    until(is_over)
    again = side.begin("celery", "celery", code="shop.add.s(index, 7)")  # what is behind the doubles in the queue is done
    until(lambda: len(side.shown()) == 2)
    until(lambda: side.claim(again) == b"done")
    assert side.shown() == ["[100,_101]", "[7,_8]"]


def test_celery_learns_of_a_failure_of_ours(side: Side) -> None:
    body = side.agent.ask(
        """
        from celery import chord
        header = [shop.add.s(1, 2).set(queue=queue) for queue in ("ours", "hidden")]
        chord(header)(shop.show.s().set(queue="celery")).id
        """
    )
    (held,) = side.take()
    (hidden,) = side.take(queue="hidden")
    side.broker.conclude([side.ending(held, states.FAILURE)])
    side.broker.conclude([Conclusion(hidden, envelopes=[_moved(hidden, "celery")])])
    found = side.backend.wait([body], patience())[body]
    assert found.state == states.FAILURE
    assert b"ChordError" in found.document or b"LookupError" in found.document
    assert side.shown() == []


def test_a_chord_that_grew_on_our_side_is_ended_by_celery(side: Side) -> None:
    side.begin("ours", "celery")
    (held,) = side.take()
    ended = side.ending(held, more=1)
    added = _moved(held, "celery", id="added")
    side.broker.conclude([Conclusion(held, ended.results, [added], arrivals=ended.arrivals)])
    until(side.shown)
    assert side.shown() == ["[100,_100,_101]"]
    assert side.take(queue=side.orders) == []


def test_a_claim_of_a_worker_of_celerys_that_died_delays_and_no_more(side: Side) -> None:
    chord = side.begin("ours", "hidden")
    (held,) = side.take()
    (hidden,) = side.take(queue="hidden")
    side.broker.conclude([side.ending(held)])
    name = f"{side.backend.prefix}celery-taskset-meta-{chord}"
    lost = side.ending(hidden).arrivals[0]
    assert lost.part is not None
    side.backend._link.ask("ZADD", f"{name}.j", 1, lost.part)
    side.backend._link.ask("SADD", f"{name}.d", f"{lost.id}:1")
    side.backend._link.ask("SET", f"{name}.c", "0123456789abcdef", "PX", 300)
    assert side.backend.parts(chord) is None
    side.broker.conclude([side.ending(hidden)])  # it comes again, to us
    assert side.broker.depth([side.orders])[side.orders].later == 1

    def shown() -> list[str]:
        side.fire()
        return side.shown()

    until(shown)
    assert side.shown() == ["[100,_101]"]


def _moved(held: Delivery, queue: str, **changes: str) -> Envelope:
    """The same message for another queue; or another message of the same content."""
    old = held.envelope
    headers = {**json.loads(old.headers), **changes}
    properties = {**old.properties, "correlation_id": headers["id"]}
    return Envelope(headers["id"], queue, json.dumps(headers).encode(), old.body, properties=properties)
