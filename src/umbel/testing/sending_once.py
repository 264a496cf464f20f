"""That of many who send the same, one is heard."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from umbel import clock
from umbel.stores.broker import ASTRAY, REMEMBERED, Broker, Conclusion, Once
from umbel.testing.given import Another, Given, drain, envelope, ids, in_a_child
from umbel.testing.waiting import patience
from umbel.wire.envelope import Envelope


def tick(stream: str, number: float, **fields: Any) -> Once:
    """A message named after its stream and number."""
    return Once(envelope(f"{stream}@{number!r}", **fields), stream, number)


class SendingOnce(Given):
    """Streams of numbered messages."""

    @pytest.fixture
    def now(self) -> float:
        """The time; contracts of stores speak of their own clock, which is this one in all tests."""
        return clock.now()

    def test_what_is_beyond_the_last_number_is_accepted_and_nothing_else(self, broker: Broker, now: float) -> None:
        assert broker.send_once([tick("a", now), tick("b", now)]) == [True, True]
        assert broker.send_once([tick("a", now), tick("b", now + 1), tick("a", now - 1)]) == [False, True, False]
        assert broker.send_once([tick("a", now + 1)]) == [True]
        assert ids(drain(broker)) == [f"a@{now!r}", f"b@{now!r}", f"b@{now + 1!r}", f"a@{now + 1!r}"]

    def test_sending_nothing_once_does_nothing(self, broker: Broker) -> None:
        assert broker.send_once([]) == []
        assert broker.queues() == []

    def test_within_a_batch_the_order_of_a_stream_is_kept(self, broker: Broker, now: float) -> None:
        batch = [tick("a", now), tick("a", now), tick("b", now + 5), tick("a", now + 2), tick("a", now + 1), tick("a", now + 3)]
        assert broker.send_once(batch) == [True, False, True, True, False, True]
        assert [id for id in ids(drain(broker)) if id[0] == "a"] == [f"a@{now + step!r}" for step in (0.0, 2.0, 3.0)]

    def test_numbers_are_told_apart_to_the_last_bit(self, broker: Broker) -> None:
        numbers = [1_763_735_848.1234567, 1_763_735_848.123457, 1_763_735_848.1234572, 1_763_735_848.1234574]
        assert sorted(set(numbers)) == numbers
        for number in numbers:
            assert broker.send_once([tick("a", number)]) == [True]
            assert broker.send_once([tick("a", number)]) == [False]

    def test_what_is_not_accepted_leaves_no_trace(self, broker: Broker, now: float) -> None:
        broker.send_once([tick("a", now)])
        drained = drain(broker)
        assert broker.conclude([Conclusion(each) for each in drained]) == []
        assert broker.send_once([tick("a", now, queue="another", due=now + 60)]) == [False]
        assert broker.queues() == []

    def test_what_is_sent_once_is_carried_as_what_is_sent(self, broker: Broker, now: float) -> None:
        whole = Envelope("id-1", "q", b'{"task": "t"}', b"\0\xff", "application/x-thing", "binary", 3, None, "re", "ex", "rk")
        broker.send([envelope("first")])
        later = tick("later", now, due=now + 60)
        assert broker.send_once([Once(whole, "a", now), tick("b", now, priority=9), tick("c", now), later]) == [True] * 4
        held = drain(broker)
        assert ids(held) == [f"b@{now!r}", "id-1", "first", f"c@{now!r}"]
        assert held[1].envelope == whole
        assert broker.depth(["q"])["q"].later == 1
        assert broker.queues() == ["q"]

    def test_strange_names_of_streams_are_names(self, broker: Broker, now: float) -> None:
        names = ["", "'", '"\\\n', "žluť🐴", "a b", "*", "0", "NULL", "x" * 1000]
        assert all(broker.send_once([Once(envelope("a"), name, now) for name in names]))
        assert not any(broker.send_once([Once(envelope("a"), name, now) for name in names]))

    def test_thousands_are_sent_once_in_one_batch(self, broker: Broker, now: float) -> None:
        ticks = [tick(f"{number % 500}", now + number) for number in range(3000)]
        assert all(broker.send_once(ticks))
        assert not any(broker.send_once(ticks))
        assert ids(drain(broker, limit=3000)) == [each.envelope.id for each in ticks]

    def test_a_number_far_in_the_future_blocks_nothing(self, broker: Broker, now: float) -> None:
        astray = now + ASTRAY + 600
        assert broker.send_once([tick("a", astray), tick("b", now + ASTRAY - 600)]) == [True, True]
        assert broker.send_once([tick("a", now), tick("b", now)]) == [True, False]
        assert broker.send_once([tick("a", now), tick("a", now + 1)]) == [False, True]

    def test_an_old_number_is_remembered_from_its_acceptance(self, broker: Broker, now: float) -> None:
        old = now - 2 * REMEMBERED
        assert broker.send_once([tick("a", old)]) == [True]
        assert broker.send_once([tick("b", now)]) == [True]
        assert broker.send_once([tick("a", old)]) == [False]

    def test_of_many_threads_one_sends_each(self, another: Another, broker: Broker, now: float) -> None:
        ticks = [tick(f"{number % 10}", now + number) for number in range(1000)]
        brokers = [another() for _ in range(4)]
        accepted: list[str] = []

        def send(sender: Broker, step: int) -> None:
            for start in range(0, 1000, step):
                batch = ticks[start : start + step]
                told = sender.send_once(batch)
                accepted.extend(each.envelope.id for each, is_next in zip(batch, told, strict=True) if is_next)

        threads = [threading.Thread(target=send, args=each) for each in zip(brokers, (10, 10, 20, 50), strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert len(set(accepted)) == len(accepted)
        assert sorted(ids(drain(broker))) == sorted(accepted)
        # Each stream comes to its end, whoever was ahead.
        assert {each.envelope.id for each in ticks[-10:]} <= set(accepted)

    def test_a_forked_child_sends_what_its_parent_has_not(self, broker: Broker, now: float) -> None:
        broker.send_once([tick("a", now)])

        def send() -> bool:
            first = not self.shared_by_processes
            return broker.send_once([tick("a", now), tick("a", now + 1)]) == [first, True]

        assert in_a_child(send)
        assert broker.send_once([tick("a", now + 1)]) == [not self.shared_by_processes]
