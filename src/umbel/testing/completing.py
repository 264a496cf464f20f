"""That brokers send what follows a chord in the step that notes its last part."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.join import Arrival, Parts
from umbel.testing.given import LEASE, Another, drain, envelope, envelopes, ids, recovered
from umbel.testing.joining import FIRE, document, documents, part
from umbel.testing.surviving import Surviving
from umbel.testing.waiting import patience
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result


def ending(held: Delivery, *arrivals: Arrival) -> Conclusion:
    """The end of a part, as a worker tells it."""
    return Conclusion(held, [Result(held.envelope.id, "SUCCESS", b"{}")], arrivals=arrivals)


class Completing(Surviving):
    """Chords that are counted by who concludes."""

    @pytest.fixture
    def joint(self, broker: Broker, backend: ResultBackend) -> Iterator[ResultBackend]:
        """The results, which `broker` writes itself."""
        assert broker.keeps(backend)
        yield backend

    def fired(self, broker: Broker) -> list[Envelope]:
        """What was sent of what follows."""
        return [each.envelope for each in drain(broker, FIRE.queue)]

    def test_the_last_part_sends_what_follows(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("chord", 2)
        broker.send(envelopes("a", "b"))
        a, b = broker.reserve(["q"], 2, 1)
        assert broker.conclude([ending(a, part(0))]) == []
        assert self.fired(broker) == []
        assert broker.conclude([ending(b, part(1))]) == []
        assert self.fired(broker) == [FIRE]
        assert joint.parts("chord") == Parts(2, documents(0, 1))
        assert set(joint.fetch(["a", "b"])) == {"a", "b"}
        assert joint.arrive([part(0)]) == []

    def test_parts_of_one_batch_count_in_their_order(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("chord", 3)
        broker.send(envelopes("a", "b", "c"))
        a, b, c = broker.reserve(["q"], 3, 1)
        first = Arrival("chord", "part1", 1, document(1), envelope("first", FIRE.queue))
        last = Arrival("chord", "part0", 0, document(0), envelope("last", FIRE.queue))
        grown = Arrival("chord", "part0", 0, None, more=1)
        broker.conclude([ending(a, grown), ending(b, first, part(2)), ending(c, last, part(3, 7), part(3, 8))])
        assert self.fired(broker) == [FIRE]
        assert joint.parts("chord") == Parts(4, [*documents(0, 1, 2), document(3, 8)])

    def test_arrivals_come_with_all_else_that_ends_a_delivery(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("one", 1)
        joint.expect("two", 1)
        broker.send(envelopes("a", "b", "c"))
        a, b, c = broker.reserve(["q"], 3, 1)
        buried = Conclusion(b, [Result("b", "FAILURE", b"{}")], envelopes("b1"), "ill", [part(0, chord="two")])
        arrived = Conclusion(a, (), envelopes("a1"), arrivals=[part(0, chord="one")])
        assert broker.conclude([arrived, buried, Conclusion(c)]) == []
        assert self.fired(broker) == [FIRE, FIRE]
        assert ids(drain(broker)) == ["a1", "b1"]
        assert [each.reason for each in broker.buried()] == ["ill"]

    def test_an_arrival_may_be_all_that_is_left_of_a_delivery(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("chord", 1)
        broker.send(envelopes("a"))
        assert broker.conclude([Conclusion(broker.reserve(["q"], 1, 1)[0], arrivals=[part(0)])]) == []
        assert self.fired(broker) == [FIRE]
        assert broker.queues() == [FIRE.queue]  # held

    def test_what_follows_may_be_late_or_urgent(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("late", 1)
        joint.expect("urgent", 1)
        broker.send(envelopes("a"))
        late = Arrival("late", "a", 0, document(0), envelope("late", "late", due=4e9))
        urgent = Arrival("urgent", "a", 0, document(0), envelope("urgent", "urgent", priority=9))
        broker.conclude([Conclusion(broker.reserve(["q"], 1, 1)[0], arrivals=[late, urgent])])
        assert broker.depth(["late"])["late"].later == 1
        assert [each.envelope for each in drain(broker, "urgent")] == [urgent.then]

    def test_a_part_that_comes_again_sends_nothing_again(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("chord", 2)
        broker.send(envelopes("a", "b", "a", "b", "a"))
        a, b, a2, b2, a3 = broker.reserve(["q"], 5, 1)
        broker.conclude([ending(a, part(0)), ending(b, part(1))])
        broker.conclude([ending(a2, part(0, 5)), ending(b2, part(1, 6))])
        assert self.fired(broker) == [FIRE]
        assert joint.parts("chord") == Parts(2, [document(0, 5), document(1, 6)])
        joint.done("chord")
        broker.conclude([ending(a3, part(0, more=1))])
        assert self.fired(broker) == []
        assert joint.parts("chord") is None

    def test_the_first_end_after_a_late_size_sends_it(self, broker: Broker, joint: ResultBackend) -> None:
        broker.send(envelopes("a", "b", "b"))
        a, b, again = broker.reserve(["q"], 3, 1)
        broker.conclude([ending(a, part(0)), ending(b, part(1))])
        joint.expect("chord", 2)
        broker.conclude([ending(again, part(1))])
        assert self.fired(broker) == [FIRE]

    def test_who_lost_the_part_notes_nothing(self, another: Another, backend: ResultBackend) -> None:
        late, broker = another(lease=LEASE), another()
        assert late.keeps(backend)
        assert broker.keeps(backend)
        backend.expect("chord", 1)
        broker.send(envelopes("a"))
        (lost,) = late.reserve(["q"], 1, 1)
        assert recovered(broker).returned == 1
        assert late.conclude([ending(lost, part(0, 1, more=5))]) == [lost]
        assert backend.parts("chord") == Parts(1, [])
        assert self.fired(broker) == []
        (held,) = broker.reserve(["q"], 1, 1)
        assert broker.conclude([ending(held, part(0, 2)), ending(held, part(0, 3))]) == [held]
        assert backend.parts("chord") == Parts(1, [document(0, 2)])
        assert self.fired(broker) == [FIRE]

    def test_of_many_who_end_parts_at_once_one_sends_it(self, another: Another, backend: ResultBackend) -> None:
        brokers = [another() for _ in range(6)]
        chords = [f"chord{number}" for number in range(20)]
        for broker in brokers:
            assert broker.keeps(backend)
        for chord in chords:
            backend.expect(chord, 6)
        brokers[0].send(envelopes(*(f"{chord}.{index}" for index in range(6) for chord in chords)))
        held = [broker.reserve(["q"], len(chords), 1) for broker in brokers]

        def work(broker: Broker, mine: list[Delivery]) -> None:
            for each in mine:
                chord, _, index = each.envelope.id.partition(".")
                then = envelope(chord, FIRE.queue)
                broker.conclude([ending(each, Arrival(chord, each.envelope.id, int(index), document(int(index)), then))])

        threads = [threading.Thread(target=work, args=each) for each in zip(brokers, held, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert sorted(each.id for each in self.fired(brokers[0])) == sorted(chords)

    def test_a_chord_of_ten_thousand_ends_in_batches(self, broker: Broker, joint: ResultBackend) -> None:
        count = 10_000
        joint.expect("chord", count)
        broker.send(envelopes(*map(str, range(count))))
        for _ in range(0, count, 1000):
            held = broker.reserve(["q"], 1000, 1)
            assert broker.conclude([ending(each, part(int(each.envelope.id))) for each in held]) == []
        assert self.fired(broker) == [FIRE]
        assert joint.parts("chord") == Parts(count, documents(*range(count)))
