"""That brokers hold at once what conclusions send, where nobody is passed over by it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from umbel import clock
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery, Depth, Revocation
from umbel.testing.completing import Completing, ending
from umbel.testing.given import LEASE, Another, drain, envelope, envelopes, ids, recovered
from umbel.testing.joining import FIRE, part
from umbel.testing.waiting import patience, until
from umbel.wire.result import Result


class Proceeding(Completing):
    """Conclusions that bring what follows from them."""

    proceeds = True
    """False of a store that only concludes."""

    def held(self, broker: Broker, conclusions: Sequence[Conclusion], *queues: str) -> list[Delivery]:
        """What `proceed` holds; of a store that only concludes, what may be reserved then."""
        serving = queues or ("q",)
        most = sum(each.leads for each in conclusions)
        lost, found = broker.proceed(conclusions, serving)
        assert lost == []
        if not self.proceeds:
            assert found == []
            return broker.reserve(serving, most, 0)
        return found

    def kept_in_line(self, broker: Broker, conclusion: Conclusion, *queues: str) -> None:
        """Proceed where nothing is to be held."""
        assert broker.proceed([conclusion], queues or ("q",)) == ([], [])

    def test_what_follows_is_held_at_once(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        sent = envelope("b", body=b"\0\xff", reply_to="r", exchange="x", routing_key="k", properties={"n": 1})
        (b,) = self.held(broker, [Conclusion(a, envelopes=[sent])])
        assert (b.envelope, b.queue, b.attempt, b.begun, b.parked, b.revoked) == (sent, "q", 1, False, None, False)
        assert abs(b.when - broker.renew(30).time) < patience()
        assert broker.depth(["q"]) == {"q": Depth(held=1)}
        assert drain(broker) == []
        assert broker.started([b]) == []
        assert broker.conclude([Conclusion(a), Conclusion(b)]) == [a]
        assert broker.queues() == []

    def test_it_looks_as_what_is_reserved(self, broker: Broker) -> None:
        broker.send(envelopes("a", priority=3))
        first = broker.reserve(["q"], 1, 1)[0]
        (again,) = self.held(broker, [Conclusion(first, envelopes=envelopes("a", priority=3))])
        assert again.envelope == first.envelope
        assert type(again.receipt) is type(first.receipt)
        assert again.receipt != first.receipt
        assert broker.release([again]) == []
        assert [(each.envelope, each.attempt) for each in drain(broker)] == [(first.envelope, 1)]

    def test_steps_follow_each_other_without_reserving(self, broker: Broker) -> None:
        broker.send(envelopes("0"))
        (held,) = broker.reserve(["q"], 1, 1)
        for number in range(1, 20):
            (held,) = self.held(broker, [Conclusion(held, envelopes=envelopes(str(number)))])
            assert held.envelope.id == str(number)
        assert broker.proceed([Conclusion(held)], ["q"]) == ([], [])
        assert broker.queues() == []

    def test_what_waits_is_not_passed_over(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b"))
        (a,) = broker.reserve(["q"], 1, 1)
        self.kept_in_line(broker, Conclusion(a, envelopes=envelopes("c", priority=9)))
        assert ids(drain(broker)) == ["c", "b"]

    def test_nor_what_waits_in_another_of_the_queues(self, broker: Broker) -> None:
        broker.send([envelope("a"), envelope("b", "other")])
        (a,) = broker.reserve(["q"], 1, 1)
        self.kept_in_line(broker, Conclusion(a, envelopes=envelopes("c")), "q", "other")
        assert ids(drain(broker, "other")) == ["b"]
        assert ids(drain(broker)) == ["c"]

    def test_nor_what_has_come_back(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b"))
        a, b = broker.reserve(["q"], 2, 1)
        broker.release([b])
        self.kept_in_line(broker, Conclusion(a, envelopes=envelopes("c")))
        assert ids(drain(broker)) == ["b", "c"]

    def test_nor_what_has_become_due(self, broker: Broker) -> None:
        broker.send([envelope("a"), envelope("b", due=(due := broker.renew(30).time + 0.05))])
        (a,) = broker.reserve(["q"], 1, 1)
        until(lambda: broker.renew(30).time > due)
        self.kept_in_line(broker, Conclusion(a, envelopes=envelopes("c")))
        assert sorted(ids(drain(broker))) == ["b", "c"]

    def test_what_waits_where_nobody_looks_is_in_nobodys_way(self, broker: Broker) -> None:
        broker.send([envelope("a"), envelope("b", "other"), envelope("c", due=clock.now() + 60)])
        (a,) = broker.reserve(["q"], 1, 1)
        assert ids(self.held(broker, [Conclusion(a, envelopes=envelopes("d"))])) == ["d"]

    def test_what_goes_elsewhere_or_is_not_due_is_only_sent(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        self.kept_in_line(broker, Conclusion(a, envelopes=[envelope("b", "other"), envelope("c", due=clock.now() + 60)]))
        depth = broker.depth(["q", "other"])
        assert (depth["q"].later, depth["q"].held, depth["other"].ready) == (1, 0, 1)

    def test_of_several_the_most_urgent_is_held_and_the_others_are_sent(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        sent = [envelope("b"), envelope("c", priority=5), envelope("d", priority=9), envelope("e", priority=9)]
        assert ids(self.held(broker, [Conclusion(a, envelopes=sent)])) == ["d"]
        assert ids(drain(broker)) == ["e", "c", "b"]

    def test_of_several_conclusions_each_may_bring_one(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b", "c"))
        a, b, c = broker.reserve(["q"], 3, 1)
        ends = [Conclusion(a, envelopes=envelopes("a1", "a2")), Conclusion(b), Conclusion(c, envelopes=envelopes("c1"))]
        assert ids(self.held(broker, ends)) == ["a1", "a2"]
        assert ids(drain(broker)) == ["c1"]

    def test_results_come_in_the_same_step(self, broker: Broker, joint: ResultBackend) -> None:
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        assert ids(self.held(broker, [Conclusion(a, [Result("a", "SUCCESS", b"{}")], envelopes("b"))])) == ["b"]
        assert joint.fetch(["a"]) == {"a": Result("a", "SUCCESS", b"{}")}

    def test_who_lost_the_delivery_gets_nothing_for_it(self, another: Another) -> None:
        late, broker = another(lease=LEASE), another()
        broker.send(envelopes("a"))
        (lost,) = late.reserve(["q"], 1, 1)
        assert recovered(broker).returned == 1
        assert late.proceed([Conclusion(lost, envelopes=envelopes("b"))], ["q"]) == ([lost], [])
        assert ids(drain(broker)) == ["a"]

    def test_what_is_told_twice_is_held_once(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        end = Conclusion(a, envelopes=envelopes("b"))
        lost, found = broker.proceed([end, end], ["q"])
        assert (lost, len(found)) == ([a], int(self.proceeds))
        assert broker.proceed([end], ["q"]) == ([a], [])
        assert ids([*found, *drain(broker)]) == ["b"]

    def test_what_is_held_so_comes_back_after_a_death(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a", "x"))
        a, x = dying.reserve(["q"], 2, 1)
        (b,) = self.held(dying, [Conclusion(a, envelopes=envelopes("b"))])
        (y,) = self.held(dying, [Conclusion(x, envelopes=envelopes("y"))])
        assert dying.started([y]) == []
        found = recovered(broker)
        assert (found.returned, ids(found.stranded)) == (1, ["y"])
        assert [(each.envelope.id, each.attempt) for each in drain(broker)] == [("b", 2)]
        assert dying.conclude([Conclusion(b)]) == [b]

    def test_what_is_held_so_comes_back_from_who_leaves(self, broker: Broker, another: Another) -> None:
        leaving = another()
        leaving.send(envelopes("a"))
        (a,) = leaving.reserve(["q"], 1, 1)
        assert ids(self.held(leaving, [Conclusion(a, envelopes=envelopes("b"))])) == ["b"]
        leaving.close()
        assert [(each.envelope.id, each.attempt) for each in drain(broker)] == [("b", 1)]

    def test_what_is_held_so_is_marked_as_revoked(self, broker: Broker) -> None:
        broker.send(envelopes("a", "z"))
        a, z = broker.reserve(["q"], 2, 1)
        broker.revoke([Revocation("b")], 60)
        (b,) = self.held(broker, [Conclusion(a, envelopes=envelopes("b"))])
        assert b.revoked
        assert broker.conclude([Conclusion(b)]) == []
        assert broker.revocations()[1] == []
        assert not self.held(broker, [Conclusion(z, envelopes=envelopes("y"))])[0].revoked

    def test_what_follows_a_chord_is_held_too(self, broker: Broker, joint: ResultBackend) -> None:
        joint.expect("chord", 2)
        broker.send(envelopes("a", "b"))
        a, b = broker.reserve(["q"], 2, 1)
        assert broker.proceed([ending(a, part(0))], ["q", FIRE.queue]) == ([], [])
        (order,) = self.held(broker, [ending(b, part(1))], "q", FIRE.queue)
        assert (order.envelope, order.queue) == (FIRE, FIRE.queue)
        assert broker.conclude([Conclusion(order)]) == []
        assert broker.queues() == []

    def test_what_is_buried_may_lead_on_as_well(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        assert ids(self.held(broker, [Conclusion(a, envelopes=envelopes("b"), buried="ill")])) == ["b"]
        assert [each.envelope.id for each in broker.buried()] == ["a"]

    def test_without_queues_or_conclusions_it_only_concludes(self, broker: Broker) -> None:
        assert broker.proceed([], ["q"]) == ([], [])
        broker.send(envelopes("a"))
        (a,) = broker.reserve(["q"], 1, 1)
        assert broker.proceed([Conclusion(a, envelopes=envelopes("b"))], []) == ([], [])
        assert ids(drain(broker)) == ["b"]

    def test_of_many_who_proceed_at_once_each_message_is_held_by_one(self, another: Another) -> None:
        brokers, length = [another() for _ in range(4)], 40
        brokers[0].send(envelopes(*(f"{number}.0" for number in range(4))))
        ran: list[str] = []

        def work(broker: Broker) -> None:
            mine: list[Delivery] = []
            while len(ran) < 4 * length:
                mine = mine or broker.reserve(["q"], 1, 0.01)
                for each in mine[:1]:
                    ran.append(each.envelope.id)
                    chain, _, step = each.envelope.id.partition(".")
                    following = envelopes(f"{chain}.{int(step) + 1}") if int(step) + 1 < length else []
                    lost, mine = broker.proceed([Conclusion(each, envelopes=following)], ["q"])
                    assert lost == []

        threads = [threading.Thread(target=work, args=[broker]) for broker in brokers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert len(ran) == len(set(ran)) == 4 * length
        assert brokers[0].queues() == []
