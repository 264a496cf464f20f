"""That brokers keep what was revoked until it is met, and mark what they hand out of it."""

from __future__ import annotations

import threading

from umbel import clock
from umbel.stores.broker import Broker, Conclusion, Delivery, Revocation
from umbel.testing.given import LEASE, Another, Given, drain, envelope, envelopes, ids, recovered
from umbel.testing.waiting import patience, until

HOUR = 3600.0


def revoked(deliveries: list[Delivery]) -> list[str]:
    """Which of them are marked."""
    return [delivery.envelope.id for delivery in deliveries if delivery.revoked]


class Revoking(Given):
    """Revoking what waits, what is sent later, and what is held."""

    def test_what_waits_is_marked_once_it_is_handed_out(self, broker: Broker, another: Another) -> None:
        broker.send([*envelopes("a", "b", "c"), envelope("d", priority=9), envelope("e", due=clock.now() + 0.05)])
        another().revoke([Revocation("b"), Revocation("d"), Revocation("e")], HOUR)
        found: list[Delivery] = []
        while len(found) < 5 and (more := broker.reserve(["q"], 100, 10)):
            found += more
        assert revoked(found) == ["d", "b", "e"]

    def test_what_is_sent_later_is_marked_and_so_it_is_for_an_owner_who_comes_later(
        self, broker: Broker, another: Another
    ) -> None:
        broker.revoke([Revocation("a")], HOUR)
        broker.send(envelopes("a", "b"))
        assert revoked(another().reserve(["q"], 100, 1)) == ["a"]

    def test_an_owner_who_has_worked_before_and_one_who_waits_hear_of_it(self, broker: Broker, another: Another) -> None:
        sender = another()
        sender.revoke([Revocation("long ago")], HOUR)
        sender.send(envelopes("before"))
        assert revoked(drain(broker)) == []
        found: list[Delivery] = []
        thread = threading.Thread(target=lambda: found.extend(broker.reserve(["q"], 10, 30)))
        thread.start()
        sender.revoke([Revocation("a")], HOUR)
        sender.send(envelopes("a"))
        thread.join(patience())
        assert revoked(found) == ["a"]

    def test_the_revocation_ends_when_it_is_met_and_not_before(self, broker: Broker, another: Another) -> None:
        broker.send(envelopes("a", "b"))
        broker.revoke([Revocation("a"), Revocation("b")], HOUR)
        a, b = broker.reserve(["q"], 2, 1)
        assert broker.release([a]) == []
        (again,) = broker.reserve(["q"], 2, 1)
        assert again.revoked
        assert broker.conclude([Conclusion(a)]) == [a]
        assert broker.revocations()[1] == [Revocation("a"), Revocation("b")]
        assert broker.conclude([Conclusion(again), Conclusion(b, buried="unreadable")]) == []
        assert broker.revocations()[1] == []
        broker.send(envelopes("a", "b"))
        assert revoked(broker.reserve(["q"], 1, 1)) == revoked(another().reserve(["q"], 1, 1)) == []

    def test_who_has_heard_of_one_that_another_meets_marks_no_more(self, broker: Broker, another: Another) -> None:
        other = another()
        broker.revoke([Revocation("a"), Revocation("b")], HOUR)
        broker.send(envelopes("x"))
        drain(other)  # from here on it knows of both
        broker.send(envelopes("a"))
        broker.conclude([Conclusion(each) for each in broker.reserve(["q"], 1, 1)])
        broker.send(envelopes("a", "b"))
        assert revoked(drain(other)) == ["b"]

    def test_the_run_of_what_is_not_marked_does_not_meet_it(self, broker: Broker) -> None:
        """A run that has begun may be tried again: the retry bears the same id, and is to be met."""
        broker.send(envelopes("a"))
        held = broker.reserve(["q"], 1, 1)
        broker.revoke([Revocation("a")], HOUR)
        broker.conclude([Conclusion(held[0], envelopes=envelopes("a"))])
        assert revoked(broker.reserve(["q"], 1, 1)) == ["a"]

    def test_what_is_recovered_is_marked(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a", "b", "c"))
        held = dying.reserve(["q"], 3, 1)
        dying.started(held[:2])
        broker.revoke([Revocation("a"), Revocation("c")], HOUR)
        assert revoked(recovered(broker).stranded) == ["a"]
        assert revoked(drain(broker)) == ["c"]

    def test_nothing_is_kept_beyond_its_time(self, broker: Broker) -> None:
        broker.revoke([Revocation("a"), Revocation("b")], 0.05)
        broker.revoke([Revocation("b")], HOUR)
        broker.revoke([Revocation("b"), Revocation("c")], 0.05)
        until(lambda: [each.id for each in broker.revocations()[1]] == ["b"])
        broker.send(envelopes("a", "b", "c"))
        assert revoked(drain(broker)) == ["b"]

    def test_twice_is_the_longer_time_and_a_signal_stays(self, broker: Broker) -> None:
        broker.revoke([Revocation("a", "SIGTERM"), Revocation("b"), Revocation("b", "SIGKILL")], HOUR)
        mark, found = broker.revocations()
        assert found == [Revocation("a", "SIGTERM"), Revocation("b", "SIGKILL")]
        broker.revoke([Revocation("a")], 0.05)
        assert broker.revocations(mark)[1] == [Revocation("a", "SIGTERM")]

    def test_who_asks_again_is_told_what_is_new(self, broker: Broker, another: Another) -> None:
        start, found = broker.revocations()
        assert found == []
        other = another()
        other.revoke([Revocation("a"), Revocation("b", "SIGTERM")], HOUR)
        first, found = broker.revocations(start)
        assert found == [Revocation("a"), Revocation("b", "SIGTERM")]
        assert broker.revocations(first) == (first, [])
        other.revoke([Revocation("a", "SIGUSR1")], HOUR)
        second, found = broker.revocations(first)
        assert found == [Revocation("a", "SIGUSR1")]
        broker.send(envelopes("a", "b"))
        broker.conclude([Conclusion(each) for each in drain(broker)])
        third, found = broker.revocations(second)
        assert found == []
        broker.revoke([Revocation("c")], HOUR)
        assert broker.revocations(third)[1] == [Revocation("c")]

    def test_very_many_are_kept_and_told(self, broker: Broker, another: Another) -> None:
        many = [Revocation(f"task {number}", "SIGTERM" if number % 2 else None) for number in range(12_000)]
        broker.revoke(many, HOUR)
        broker.revoke([], HOUR)
        assert broker.revocations()[1] == many
        broker.send(envelopes("task 0", "task 11999", "task 12000"))
        assert ids(held := another().reserve(["q"], 3, 1)) == ["task 0", "task 11999", "task 12000"]
        assert revoked(held) == ["task 0", "task 11999"]
