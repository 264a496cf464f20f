"""Both stores against a model that is simple enough to be right: lists, and no owners but one that dies now and then."""

from __future__ import annotations

import itertools
import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from umbel import clock
from umbel.stores.broker import Conclusion, Delivery, Depth
from umbel.stores.url import open_broker
from umbel.testing.given import envelope

_numbers = itertools.count()

QUEUES = ["one", "two"]
queues = st.sampled_from(QUEUES)
some = st.sets(st.integers(0, 5), min_size=1)


class Model(RuleBasedStateMachine):
    """What is ready is a list for each queue and priority, the next first; the clock is ours."""

    def url(self) -> str:
        return f"memory://model{next(_numbers)}"

    @initialize()
    def begin(self) -> None:
        self.now = 1_000_000.0
        self.was = clock.now
        clock.now = lambda: self.now
        self.place = self.url()
        self.broker = open_broker(self.place, lease=10, max_deliveries=3)
        self.rescuer = open_broker(self.place, lease=1e9, max_deliveries=3)
        self.number = 0
        self.ready: dict[str, dict[int, list[tuple[str, int]]]] = {queue: {n: [] for n in range(10)} for queue in QUEUES}
        self.later: list[tuple[float, int, str, int, str, int]] = []
        self.held: dict[str, tuple[Delivery, int]] = {}
        self.sent: dict[str, int] = {}
        self.order: dict[str, int] = {}
        self.places = itertools.count()
        self.dead: list[tuple[str, str]] = []

    def teardown(self) -> None:
        if hasattr(self, "broker"):
            self.broker.close()
            self.rescuer.close()
            clock.now = self.was

    def wake(self) -> None:
        """Move what is due into its line."""
        for item in sorted(each for each in self.later if each[0] <= self.now):
            self.later.remove(item)
            _, _, queue, priority, id, attempts = item
            self.append(queue, priority, id, attempts)

    def append(self, queue: str, priority: int, id: str, attempts: int) -> None:
        """At the end of its line."""
        self.order[id] = next(self.places)
        self.ready[queue][priority].append((id, attempts))

    def back(self, id: str, attempts: int) -> None:
        """Where it stood: in front of what is equally urgent and was never taken."""
        delivery, _ = self.held.pop(id)
        line = self.ready[delivery.queue][delivery.envelope.priority]
        line.append((id, attempts))
        line.sort(key=lambda item: self.order[item[0]])

    @rule(
        queue=queues,
        priorities=st.lists(st.sampled_from([0, 0, 5]), min_size=1, max_size=6),
        delay=st.none() | st.integers(-1, 5),
    )
    def send(self, queue: str, priorities: list[int], delay: int | None) -> None:
        due = None if delay is None else self.now + delay
        batch = []
        for priority in priorities:
            self.number += 1
            batch.append(envelope(str(self.number), queue, priority=priority, due=due))
            if due is None or due <= self.now:
                self.append(queue, priority, str(self.number), 0)
            else:
                self.later.append((due, self.number, queue, priority, str(self.number), 0))
        self.broker.send(batch)

    @rule(queue=queues, limit=st.integers(1, 5))
    def reserve(self, queue: str, limit: int) -> None:
        self.wake()
        expected = []
        for priority in reversed(range(10)):
            line = self.ready[queue][priority]
            while line and len(expected) < limit:
                expected.append(line.pop(0))
        taken = self.broker.reserve([queue], limit, 0)
        assert [(each.envelope.id, each.attempt) for each in taken] == [(id, attempts + 1) for id, attempts in expected]
        self.held.update({each.envelope.id: (each, each.attempt) for each in taken})

    def pick(self, which: set[int]) -> list[Delivery]:
        """Some of what is held, in the order of its hand-out."""
        return [delivery for index, (delivery, _) in enumerate(self.held.values()) if index in which]

    @precondition(lambda self: self.held)
    @rule(which=some, buried=st.booleans())
    def conclude(self, which: set[int], buried: bool) -> None:
        chosen = self.pick(which)
        assert self.broker.conclude([Conclusion(each, buried="ill" if buried else None) for each in chosen]) == []
        for each in chosen:
            del self.held[each.envelope.id]
            if buried:
                self.dead.append((each.envelope.id, each.queue))

    @precondition(lambda self: self.held)
    @rule(index=st.integers(0, 5), counted=st.booleans())
    def release(self, index: int, counted: bool) -> None:
        for each in self.pick({index}):
            assert self.broker.release([each], counted=counted) == []
            self.back(each.envelope.id, each.attempt if counted else each.attempt - 1)

    @precondition(lambda self: self.held)
    @rule(index=st.integers(0, 5), delay=st.integers(1, 5))
    def postpone(self, index: int, delay: int) -> None:
        for each in self.pick({index}):
            assert self.broker.release([each], delay=delay) == []
            del self.held[each.envelope.id]
            self.number += 1
            item = (self.now + delay, self.number, each.queue, each.envelope.priority, each.envelope.id, each.attempt - 1)
            self.later.append(item)

    @rule(seconds=st.integers(1, 4))
    def sleep(self, seconds: int) -> None:
        self.now += seconds
        assert self.broker.renew(10)

    @precondition(lambda self: self.number % 7 == 0)
    @rule(queue=queues)
    def purge(self, queue: str) -> None:
        waiting = [item for item in self.later if item[2] == queue]
        assert self.broker.purge(queue) == len(waiting) + sum(map(len, self.ready[queue].values()))
        self.later = [item for item in self.later if item[2] != queue]
        self.ready[queue] = {n: [] for n in range(10)}

    @precondition(lambda self: self.dead)
    @rule()
    def revive(self) -> None:
        letters = self.broker.buried()
        assert [(letter.envelope.id, letter.queue) for letter in letters] == self.dead
        assert self.broker.revive([letter.key for letter in letters]) == len(letters)
        for letter in letters:
            self.append(letter.queue, letter.envelope.priority, letter.envelope.id, 0)
        self.dead = []

    @precondition(lambda self: self.held)
    @rule()
    def die(self) -> None:
        """The owner is taken for dead; what it held comes back, or strands and is thrown away."""
        holding = dict(self.held)
        self.now += 20
        found = self.rescuer.recover()
        stranded = {each.envelope.id for each in found.stranded}
        assert stranded == {id for id, (_, attempt) in holding.items() if attempt >= 3}
        assert found.returned == len(holding) - len(stranded)
        assert self.rescuer.conclude([Conclusion(each) for each in found.stranded]) == []
        dead = [delivery for delivery, _ in holding.values()]
        assert self.broker.conclude([Conclusion(each) for each in dead]) == dead
        for id in holding:
            if id in stranded:
                del self.held[id]
            else:
                self.back(id, holding[id][1])
        assert not self.broker.renew(10)

    @invariant()
    def depth_is_as_expected(self) -> None:
        if not hasattr(self, "broker"):
            return
        self.wake()
        depths = self.broker.depth(QUEUES)
        for queue in QUEUES:
            expected = Depth(
                ready=sum(map(len, self.ready[queue].values())),
                held=sum(delivery.queue == queue for delivery, _ in self.held.values()),
                later=sum(item[2] == queue for item in self.later),
                dead=sum(where == queue for _, where in self.dead),
                oldest=depths[queue].oldest,
            )
            assert depths[queue] == expected
            assert (expected.ready > 0) == (expected.oldest is not None)


class SqliteModel(Model):
    def url(self) -> str:
        self.directory = tempfile.mkdtemp()
        return f"sqlite:///{self.directory}/queue.db"

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(getattr(self, "directory", ""), ignore_errors=True)


bounded = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestMemory = Model.TestCase
TestMemory.settings = bounded
TestSqlite = SqliteModel.TestCase
TestSqlite.settings = bounded
