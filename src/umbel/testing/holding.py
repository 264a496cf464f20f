"""That brokers let one owner at a time hold a message, and know whose turn it is by the receipt."""

from __future__ import annotations

import threading
from collections.abc import Callable

from umbel import clock
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery, Recovered
from umbel.testing.given import LEASE, Another, Given, drain, envelope, envelopes, ids, recovered
from umbel.testing.waiting import patience, until
from umbel.wire.result import Result, encode


def document(held: Delivery, state: str) -> Result:
    """A result whose document tells its state, as workers write it."""
    return encode(held.envelope.id, state, None)


class Holding(Given):
    """Holding, releasing, and receipts that fence."""

    # Holding

    def test_nobody_else_gets_what_is_held(self, broker: Broker, another: Another) -> None:
        broker.send(envelopes("a", "b"))
        assert ids(broker.reserve(["q"], 1, 1)) == ["a"]
        assert ids(drain(another())) == ["b"]
        assert drain(broker) == []

    def test_ten_threads_never_hold_the_same_delivery(self, broker: Broker) -> None:
        broker.send(envelopes(*map(str, range(600))))
        taken: list[list[str]] = [[] for _ in range(10)]

        def take(mine: list[str]) -> None:
            while held := broker.reserve(["q"], 7, 0):
                mine += ids(held)
                assert broker.conclude([Conclusion(each) for each in held]) == []

        threads = [threading.Thread(target=take, args=(mine,)) for mine in taken]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert sorted(id for mine in taken for id in mine) == sorted(map(str, range(600)))
        assert broker.queues() == []

    def test_conclude_works_while_reserve_blocks(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        held = broker.reserve(["q"], 1, 1)
        found: list[Delivery] = []
        thread = threading.Thread(target=lambda: found.extend(broker.reserve(["q"], 1, 30)))
        thread.start()
        assert broker.conclude([Conclusion(held[0], envelopes=envelopes("next"))]) == []
        thread.join(patience())
        assert ids(found) == ["next"]

    def test_a_release_does_not_count(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        for _ in range(3):
            held = broker.reserve(["q"], 1, 1)
            assert held[0].attempt == 1
            assert broker.release(held) == []

    def test_a_counted_release_counts(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        for attempt in (1, 2, 3):
            held = broker.reserve(["q"], 1, 1)
            assert held[0].attempt == attempt
            assert broker.release(held, counted=True) == []

    def test_what_is_released_goes_in_front_of_what_is_equally_urgent(self, broker: Broker) -> None:
        broker.send([*envelopes("a", "b", "c"), envelope("urgent", priority=1)])
        held = broker.reserve(["q"], 3, 1)
        assert ids(held) == ["urgent", "a", "b"]
        broker.release(held)
        assert ids(drain(broker, limit=2)) == ["urgent", "a", "b", "c"]

    def test_the_time_of_the_first_parking_is_kept(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        before = clock.now()
        broker.release(broker.reserve(["q"], 1, 1), parked=True, delay=0.05)
        (again,) = broker.reserve(["q"], 1, 10)
        parked = again.parked
        assert parked is not None
        assert before - 1 <= parked <= clock.now() + 1
        broker.release([again], parked=True)
        (again,) = broker.reserve(["q"], 1, 10)
        assert again.parked == parked
        broker.release([again])
        assert broker.reserve(["q"], 1, 10)[0].parked == parked

    # Fencing

    def test_twice_is_the_same_as_once(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b"))
        a, b = broker.reserve(["q"], 2, 1)
        done = Conclusion(a, envelopes=envelopes("next", queue="after"))
        assert broker.conclude([done]) == []
        assert broker.conclude([done]) == [a]
        assert broker.release([b]) == []
        assert broker.release([b]) == [b]
        assert broker.conclude([Conclusion(b, envelopes=envelopes("never", queue="after"))]) == [b]
        assert broker.started([a]) == [a]
        assert ids(drain(broker)) == ["b"]
        assert ids(drain(broker, "after")) == ["next"]

    def test_twice_in_one_batch_is_the_same_as_once(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b"))
        a, b = broker.reserve(["q"], 2, 1)
        done = Conclusion(a, envelopes=envelopes("next", queue="after"))
        assert broker.conclude([done, Conclusion(a, envelopes=envelopes("next", queue="after"))]) == [a]
        assert broker.release([b, b]) == [b]
        assert ids(drain(broker, "after")) == ["next"]
        assert ids(drain(broker)) == ["b"]

    def test_a_receipt_names_one_hand_out_and_no_other(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        first = broker.reserve(["q"], 1, 1)
        broker.release(first)
        second = broker.reserve(["q"], 1, 1)
        assert broker.conclude([Conclusion(first[0])]) == first
        assert broker.release(first) == first
        assert broker.conclude([Conclusion(second[0])]) == []

    def test_a_receipt_that_is_none_is_a_lost_one(self, broker: Broker) -> None:
        stray = Delivery(envelope("a"), "q", None, 1)
        assert broker.conclude([Conclusion(stray, envelopes=envelopes("next"))]) == [stray]
        assert broker.release([stray]) == broker.started([stray]) == [stray]
        assert broker.queues() == []

    def test_one_lost_delivery_does_not_hinder_the_others(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b", "c"))
        a, b, c = broker.reserve(["q"], 3, 1)
        broker.release([b])
        assert broker.conclude(
            [Conclusion(each, envelopes=[envelope(f"{each.envelope.id}2", "after")]) for each in (a, b, c)]
        ) == [b]
        assert ids(drain(broker, "after")) == ["a2", "c2"]
        assert ids(drain(broker)) == ["b"]

    def test_conclusions_of_all_kinds_go_together_and_the_lost_ones_are_told(
        self, broker: Broker, backend: ResultBackend
    ) -> None:
        assert broker.keeps(backend)
        kinds: list[Callable[[Delivery], Conclusion]] = [
            Conclusion,
            lambda held: Conclusion(held, [document(held, "SUCCESS")]),
            lambda held: Conclusion(held, [document(held, "FAILURE")], buried="it failed"),
            lambda held: Conclusion(held, [Result(held.envelope.id, "SUCCESS", b"1")]),
            lambda held: Conclusion(held, [document(held, "SUCCESS")], [envelope(f"{held.envelope.id}+", "after")]),
            lambda held: Conclusion(held, [document(held, "RETRY"), Result("also", "SUCCESS", b"1")]),
        ]
        broker.send(envelopes(*(f"{kind}{fate}" for fate in ("ok", "lost", "twice") for kind in range(len(kinds)))))
        held = broker.reserve(["q"], 100, 1)
        lost = [each for each in held if each.envelope.id.endswith("lost")]
        twice = [each for each in held if each.envelope.id.endswith("twice")]
        assert broker.release(lost) == []
        given = [*held, *twice]
        found = broker.conclude([kinds[int(each.envelope.id[0])](each) for each in given])
        assert sorted(ids(found)) == sorted(ids([*lost, *twice]))
        assert ids(drain(broker)) == ids(lost)
        assert sorted(ids(drain(broker, "after"))) == ["4ok+", "4twice+"]
        assert [each.envelope.id for each in broker.buried()] == ["2ok", "2twice"]
        states = {id: found.state for id, found in backend.fetch([each.envelope.id for each in held]).items()}
        ends = {"1": "SUCCESS", "2": "FAILURE", "3": "SUCCESS", "4": "SUCCESS", "5": "RETRY"}
        assert states == {f"{kind}{fate}": end for kind, end in ends.items() for fate in ("ok", "twice")}

    def test_whose_lease_had_not_ended_at_that_time_is_not_taken_for_dead(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a"))
        time = broker.renew(patience()).time
        assert len(dying.reserve(["q"], 1, 1)) == 1
        end = broker.renew(patience()).time + 2 * LEASE
        until(lambda: broker.renew(patience()).time > end)
        assert broker.recover(time) == broker.recover(time + LEASE / 2) == Recovered()
        assert broker.depth(["q"])["q"].held == 1
        assert broker.recover(broker.renew(patience()).time).returned == 1
        assert broker.recover(1e12) == Recovered()

    def test_conclude_after_the_hold_is_lost_changes_nothing(
        self, broker: Broker, another: Another, backend: ResultBackend
    ) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a"))
        assert dying.keeps(backend)
        held = dying.reserve(["q"], 1, 1)
        recovered(broker)
        ending = Conclusion(held[0], [Result("a", "SUCCESS", b"1")], envelopes("next", queue="after"))
        assert dying.conclude([ending]) == held
        assert backend.fetch(["a"]) == {}
        assert broker.queues() == ["q"]

    def test_started_and_release_after_the_hold_is_lost_change_nothing(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a"))
        held = dying.reserve(["q"], 1, 1)
        recovered(broker)
        again = broker.reserve(["q"], 1, 1)
        assert dying.started(held) == held
        assert dying.release(held, delay=60) == held
        assert broker.depth(["q"])["q"].held == 1
        assert not again[0].begun
        assert broker.conclude([Conclusion(again[0])]) == []
