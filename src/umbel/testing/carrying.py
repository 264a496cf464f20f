"""That brokers carry: whole, in order, fairly, and when it is due."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from umbel import clock
from umbel.stores.broker import Broker, Conclusion, Delivery, Depth
from umbel.testing.given import Another, Given, drain, envelope, envelopes, ids
from umbel.testing.waiting import factor, pace, patience, until
from umbel.wire.envelope import Envelope


class Carrying(Given):
    """Sending and reserving."""

    # Carrying

    def test_what_is_sent_comes_back_as_it_was(self, broker: Broker) -> None:
        sent = Envelope(
            "id-1",
            "q",
            b'{"task": "t"}',
            bytes(range(256)),
            "application/x-thing",
            "binary",
            3,
            1.5,
            "reply",
            "ex",
            "rk",
            {"a": [1, None]},
        )
        broker.send([sent])
        (delivery,) = broker.reserve(["q"], 10, 1)
        assert delivery.envelope == sent
        assert (delivery.queue, delivery.attempt, delivery.begun, delivery.parked) == ("q", 1, False, None)

    def test_strange_names_and_bodies_survive(self, broker: Broker) -> None:
        bodies = [b"", b"\0", b"\xff\xfe\0\0", b"'\"\\", "žluťoučký".encode(), b"\0" * 100_000]
        queue = 'it\'s "a" \\queue\n;ž🐴'
        broker.send([envelope(f"i'\"\\\n🐴{number}", queue, body=body) for number, body in enumerate(bodies)])
        assert [each.envelope.body for each in drain(broker, queue)] == bodies
        assert broker.queues() == [queue]

    def test_two_envelopes_may_bear_the_same_id(self, broker: Broker) -> None:
        broker.send(envelopes("a", "a"))
        assert ids(drain(broker)) == ["a", "a"]

    def test_empty_batches_do_nothing(self, broker: Broker) -> None:
        broker.send([])
        assert broker.conclude([]) == broker.started([]) == broker.release([]) == []
        assert broker.revive([]) == broker.discard([]) == 0
        assert broker.reserve([], 10, 0) == broker.reserve(["q"], 0, 0) == []
        assert broker.depth([]) == {}
        assert broker.queues() == []

    def test_ten_thousand_travel_in_one_batch(self, broker: Broker) -> None:
        numbers = [f"{number:05d}" for number in range(10_000)]
        broker.send(envelopes(*numbers))
        held = drain(broker, limit=4_000)
        assert ids(held) == numbers
        assert broker.conclude([Conclusion(each) for each in held]) == []
        assert broker.queues() == []

    def test_long_bodies_are_carried(self, broker: Broker) -> None:
        bodies = [bytes([number]) * (8 << 20) for number in range(4)]
        broker.send([envelope(str(number), body=body) for number, body in enumerate(bodies)])
        assert [each.envelope.body for each in drain(broker)] == bodies

    def test_every_owner_has_a_name_of_its_own(self, another: Another) -> None:
        assert len({another().owner for _ in range(20)}) == 20

    # Order and waiting

    def test_reserve_returns_at_most_limit(self, broker: Broker) -> None:
        broker.send(envelopes(*"abcde"))
        assert ids(broker.reserve(["q"], 2, 0)) == ["a", "b"]
        assert ids(broker.reserve(["q"], 2, 0)) == ["c", "d"]
        assert ids(broker.reserve(["q"], 2, 0)) == ["e"]

    def test_reserve_gives_nothing_after_its_wait(self, broker: Broker) -> None:
        begun, paced = time.monotonic(), pace()
        assert broker.reserve(["q"], 1, 0.1) == []
        assert time.monotonic() - begun >= 0.09
        assert pace() - paced < 2

    def test_reserve_gives_what_there_is_without_waiting_for_more(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        begun = pace()
        assert ids(broker.reserve(["q"], 100, 30)) == ["a"]
        assert pace() - begun < 5

    def test_a_send_wakes_a_waiting_reserve(self, broker: Broker, another: Another) -> None:
        other, found = another(), list[Delivery]()
        thread = threading.Thread(target=lambda: found.extend(broker.reserve(["q"], 1, 30)))
        thread.start()
        other.send(envelopes("a"))
        thread.join(patience())
        assert ids(found) == ["a"]

    def test_a_release_wakes_a_waiting_reserve(self, broker: Broker, another: Another) -> None:
        other, found = another(), list[Delivery]()
        broker.send(envelopes("a"))
        held = broker.reserve(["q"], 1, 1)
        thread = threading.Thread(target=lambda: found.extend(other.reserve(["q"], 1, 30)))
        thread.start()
        broker.release(held)
        thread.join(patience())
        assert ids(found) == ["a"]

    def test_first_come_is_first_served(self, broker: Broker) -> None:
        for id in "abc":
            broker.send(envelopes(id))
        broker.send(envelopes("d", "e"))
        assert ids(drain(broker, limit=2)) == list("abcde")

    def test_the_more_urgent_comes_first_and_nine_is_most_urgent(self, broker: Broker) -> None:
        for priority in (0, 9, 4, 9, 0):
            broker.send(envelopes(str(priority), priority=priority))
        assert ids(drain(broker, limit=2)) == ["9", "9", "4", "0", "0"]

    def test_priorities_beyond_the_scale_count_as_its_ends(self, broker: Broker) -> None:
        broker.send(
            [envelope("low", priority=-3), envelope("none"), envelope("high", priority=255), envelope("nine", priority=9)]
        )
        assert ids(drain(broker)) == ["high", "nine", "low", "none"]

    def test_only_the_queues_named_are_served(self, broker: Broker) -> None:
        broker.send([*envelopes("a", queue="one"), *envelopes("b", queue="two"), *envelopes("c", queue="three")])
        assert sorted(ids(drain(broker, "one", "three"))) == ["a", "c"]
        assert ids(drain(broker, "two")) == ["b"]

    def test_a_full_queue_does_not_starve_the_next(self, broker: Broker) -> None:
        broker.send(envelopes(*map(str, range(1000)), queue="full"))
        broker.send(envelopes("x", "y", queue="small"))
        assert {"x", "y"} <= set(ids(broker.reserve(["full", "small"], 4, 1)))

    def test_an_urgent_queue_does_not_starve_the_next_either(self, broker: Broker) -> None:
        broker.send(envelopes(*map(str, range(100)), queue="urgent", priority=9))
        broker.send(envelopes("x", queue="calm"))
        assert "x" in ids(broker.reserve(["urgent", "calm"], 2, 1))

    def test_what_small_queues_leave_goes_to_the_fuller(self, broker: Broker) -> None:
        broker.send(envelopes(*map(str, range(100)), queue="full"))
        broker.send(envelopes("x", queue="small"))
        assert len(broker.reserve(["empty", "small", "full"], 30, 1)) == 30

    def test_with_room_for_one_the_queues_take_turns(self, broker: Broker) -> None:
        for queue in "abc":
            broker.send(envelopes(*map(str, range(10)), queue=queue))
        served = [broker.reserve(["a", "b", "c"], 1, 1)[0].queue for _ in range(9)]
        assert sorted(served) == list("aaabbbccc")

    # Due

    def test_a_due_message_is_handed_out_at_its_time_and_not_before(self, broker: Broker) -> None:
        due = clock.now() + 1.0
        broker.send([envelope("a", due=due), envelope("far", due=due + 3600)])
        early = broker.reserve(["q"], 2, 0.05)
        assert early == [] or early[0].when >= due  # on a machine that stood still
        assert broker.depth(["q"])["q"] == Depth(later=2 - len(early), held=len(early))
        (handed,) = early or broker.reserve(["q"], 2, 10)
        assert handed.envelope.id == "a"
        assert due <= handed.when
        assert due <= clock.now() < due + 2 * factor()
        assert broker.depth(["q"])["q"] == Depth(later=1, held=1)

    def test_a_time_that_has_passed_is_no_obstacle(self, broker: Broker) -> None:
        broker.send(envelopes("a", due=clock.now() - 100))
        assert ids(broker.reserve(["q"], 1, 0)) == ["a"]

    def test_due_messages_come_in_the_order_of_their_times(self, broker: Broker) -> None:
        first, second = clock.now() + 0.1 * factor(), clock.now() + 0.2 * factor()  # not before all are sent
        broker.send([envelope("later", due=second), envelope("sooner", due=first), envelope("urgent", due=second, priority=5)])
        until(lambda: clock.now() > second)
        assert ids(drain(broker)) == ["urgent", "sooner", "later"]

    def test_a_message_far_off_does_not_hide_one_nearer(self, broker: Broker) -> None:
        broker.send(envelopes("far", due=clock.now() + 3600))
        broker.send(envelopes("near", due=clock.now() + 0.1))
        assert ids(broker.reserve(["q"], 5, 10)) == ["near"]

    def test_what_waits_for_its_time_is_shown_the_next_first(self, broker: Broker) -> None:
        now = clock.now()
        assert broker.upcoming(["q"], 10) == []
        broker.send([envelope("c", due=now + 9000), envelope("a", due=now + 7000, priority=3), envelope("ready")])
        broker.send([envelope("b", queue="other", due=now + 8000, body=b"[1]"), envelope("not asked", queue="x", due=now + 1000)])
        found = broker.upcoming(["q", "other", "q", "empty"], 10)
        assert [(each.id, each.queue) for each in found] == [("a", "q"), ("b", "other"), ("c", "q")]
        assert [round((each.due or 0) - now) for each in found] == [7000, 8000, 9000]
        assert found[1].body == b"[1]"
        assert [each.id for each in broker.upcoming(["q", "other"], 2)] == ["a", "b"]
        (held,) = broker.reserve(["q"], 1, 1)
        broker.release([held], delay=3600)
        assert [each.id for each in broker.upcoming(["q"], 1)] == ["ready"]
        assert broker.upcoming([], 10) == broker.upcoming(["q"], 0) == []

    def test_what_waits_can_be_let_come_before_its_time(self, broker: Broker) -> None:
        now = clock.now()
        many = [envelope(f"{number:05}", due=now + 1000 + number / 100) for number in range(2500)]
        broker.send([*many, envelope("urgent", due=now + 3000, priority=5), envelope("far", due=now + 9000)])
        broker.send([envelope("elsewhere", queue="other", due=now + 1000), envelope("not asked", queue="x", due=now + 1000)])
        assert broker.hasten([], 8000) == broker.hasten(["empty"], 8000) == broker.hasten(["q"], 10) == 0
        assert broker.hasten(["q", "other", "q"], 8000) == 2502
        assert ids(drain(broker, "q")) == ["urgent", *(each.id for each in many)]
        assert ids(drain(broker, "other")) == ["elsewhere"]
        depths = broker.depth(["q", "x"])
        assert (depths["q"].later, depths["x"].later) == (1, 1)

    def test_who_waits_gets_what_is_let_come_before_its_time(self, broker: Broker, another: Another) -> None:
        broker.send(envelopes("a"))
        (held,) = broker.reserve(["q"], 1, 1)
        broker.release([held], delay=3600)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(broker.reserve, ["q"], 1, patience())
            until(waiting.running)
            assert another().hasten(["q"], 7200) == 1
            (again,) = waiting.result(patience())
        assert (again.envelope.id, again.attempt) == ("a", 1)
        assert broker.conclude([Conclusion(again)]) == []

    def test_a_message_released_until_later_waits_for_its_time(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        (held,) = broker.reserve(["q"], 1, 1)
        begin = clock.monotonic()
        assert broker.release([held], delay=0.2) == []
        assert broker.depth(["q"])["q"] == Depth(later=1)
        (again,) = broker.reserve(["q"], 1, 10)
        assert clock.monotonic() >= begin + 0.2
        assert again.when >= held.when + 0.2
        assert again.attempt == 1
        assert broker.conclude([Conclusion(again)]) == []
