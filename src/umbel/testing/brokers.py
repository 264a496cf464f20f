"""What every broker must keep, as tests to inherit: say where the store of a test is.

class TestSqlite(BrokerContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/queue.db"
"""

from __future__ import annotations

import threading

from umbel import clock
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery, Depth, Recovered
from umbel.stores.url import open_backend
from umbel.testing.carrying import Carrying
from umbel.testing.given import LEASE, Another, drain, envelope, envelopes, ids, in_a_child, recovered
from umbel.testing.holding import Holding
from umbel.testing.proceeding import Proceeding
from umbel.testing.revoking import Revoking
from umbel.testing.sending_once import SendingOnce
from umbel.testing.waiting import factor, pace, patience, until
from umbel.wire.result import Result


class BrokerContract(Carrying, Holding, Proceeding, Revoking, SendingOnce):
    """All of it: inherit, override `url`, and also `make` and `make_backend` if `umbel.stores.url` does not know the store."""

    # Concluding

    def test_what_is_concluded_is_gone(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b"))
        broker.conclude([Conclusion(each) for each in broker.reserve(["q"], 2, 1)])
        assert broker.queues() == []
        assert broker.depth(["q"]) == {"q": Depth()}

    def test_results_and_follow_ups_come_with_the_acknowledgement(self, broker: Broker, backend: ResultBackend) -> None:
        assert broker.keeps(backend)
        broker.send(envelopes("a", "b"))
        a, b = broker.reserve(["q"], 2, 1)
        later = envelope("later", "after", due=clock.now() + 60)
        first = Conclusion(a, [Result("a", "SUCCESS", b"\0one\xff")], [*envelopes("a1", "a2", queue="after"), later])
        assert broker.conclude([first, Conclusion(b, [Result("b", "FAILURE", b"two")])]) == []
        assert backend.fetch(["a", "b"]) == {"a": Result("a", "SUCCESS", b"\0one\xff"), "b": Result("b", "FAILURE", b"two")}
        assert broker.depth(["after"])["after"].later == 1
        assert ids(drain(broker, "after")) == ["a1", "a2"]

    def test_conclude_does_not_write_over_a_stronger_result(self, broker: Broker, backend: ResultBackend) -> None:
        assert broker.keeps(backend)
        backend.store([Result("a", "SUCCESS", b"first")])
        broker.send(envelopes("a"))
        broker.conclude([Conclusion(broker.reserve(["q"], 1, 1)[0], [Result("a", "RETRY", b"second")])])
        assert backend.fetch(["a"])["a"].document == b"first"

    def test_a_backend_elsewhere_is_not_kept(self, broker: Broker) -> None:
        elsewhere = open_backend("memory://elsewhere", expires=60)
        assert not broker.keeps(elsewhere)
        elsewhere.close()

    def test_conclude_wakes_who_waits_for_the_result(self, broker: Broker, backend: ResultBackend) -> None:
        assert broker.keeps(backend)
        broker.send(envelopes("a"))
        held = broker.reserve(["q"], 1, 1)
        found: dict[str, Result] = {}
        thread = threading.Thread(target=lambda: found.update(backend.wait(["a"], patience())))
        thread.start()
        broker.conclude([Conclusion(held[0], [Result("a", "SUCCESS", b"1")])])
        thread.join(patience())
        assert found == {"a": Result("a", "SUCCESS", b"1")}

    # The dead

    def test_what_is_buried_waits_among_the_dead_with_the_reason(self, broker: Broker) -> None:
        sent = envelope("a", body=b"\0\xff")
        broker.send([sent])
        before = clock.now()
        assert broker.conclude([Conclusion(broker.reserve(["q"], 1, 1)[0], buried="it is ill")]) == []
        (letter,) = broker.buried()
        assert (letter.envelope, letter.queue, letter.reason, letter.attempt) == (sent, "q", "it is ill", 1)
        assert before - 1 <= letter.when <= clock.now() + 1
        assert drain(broker) == []
        assert broker.queues() == ["q"]
        assert broker.depth(["q"])["q"] == Depth(dead=1)

    def bury(self, broker: Broker, *ids: str, queue: str = "q") -> None:
        """Send these and bury them at once."""
        broker.send(envelopes(*ids, queue=queue))
        broker.conclude([Conclusion(each, buried="ill") for each in drain(broker, queue)])

    def test_the_dead_are_read_page_by_page_oldest_first(self, broker: Broker) -> None:
        self.bury(broker, *"abc")
        self.bury(broker, "x", queue="other")
        self.bury(broker, *"de")
        first = broker.buried("q", limit=2)
        assert [each.envelope.id for each in first] == ["a", "b"]
        rest = broker.buried("q", after=first[-1].key)
        assert [each.envelope.id for each in rest] == ["c", "d", "e"]
        assert [each.envelope.id for each in broker.buried(limit=4)] == ["a", "b", "c", "x"]
        assert len({each.key for each in broker.buried()}) == 6
        assert broker.buried("unknown") == broker.buried(limit=0) == []

    def test_the_revived_run_again_from_the_first_attempt(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        broker.release(broker.reserve(["q"], 1, 1), counted=True)
        self.bury(broker, "b")
        letters = broker.buried()
        assert sorted(each.attempt for each in letters) == [1, 2]
        keys = [each.key for each in letters]
        assert broker.revive([*keys, keys[0], "no key", "999999"]) == 2
        assert broker.revive(keys) == 0
        assert broker.buried() == []
        assert {(each.envelope.id, each.attempt) for each in drain(broker)} == {("a", 1), ("b", 1)}

    def test_the_discarded_are_gone(self, broker: Broker) -> None:
        self.bury(broker, "a", "b")
        key = broker.buried()[0].key
        assert broker.discard([key, "no key"]) == 1
        assert broker.discard([key]) == 0
        assert [each.envelope.id for each in broker.buried()] == ["b"]

    def test_of_too_many_dead_the_oldest_go(self, broker: Broker) -> None:
        self.bury(broker, *"ab")
        self.bury(broker, *"xy", queue="other")
        self.bury(broker, *"cd")
        assert broker.sweep(most=None, seconds=None) == broker.sweep(most=6, seconds=3600) == 0
        assert broker.sweep(most=3, seconds=None) == 3
        assert [each.envelope.id for each in broker.buried()] == ["y", "c", "d"]
        assert {name: depth.dead for name, depth in broker.depth(["q", "other"]).items()} == {"q": 2, "other": 1}
        assert broker.sweep(most=0, seconds=None) == 3
        assert broker.queues() == []

    def test_the_dead_go_after_their_time(self, broker: Broker) -> None:
        self.bury(broker, *"ab")
        begin = clock.monotonic()
        until(lambda: clock.monotonic() > begin + 0.1)
        self.bury(broker, *"cd")
        ends = [each.when for each in broker.buried()]
        before = broker.renew(30).time
        age = before - ends[0] - 0.05
        gone = broker.sweep(most=None, seconds=age)
        after = broker.renew(30).time  # on a machine that took so long, the others were old enough, too
        assert 2 <= gone <= sum(end < after - age for end in ends)
        assert [each.envelope.id for each in broker.buried()] == ["a", "b", "c", "d"][gone:]
        assert broker.sweep(most=0, seconds=0) == 4 - gone

    # Leases

    def test_what_a_dead_owner_held_is_ready_again_and_counted(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a", "b", "c"))
        assert ids(dying.reserve(["q"], 2, 1)) == ["a", "b"]
        found = recovered(broker)
        assert (found.returned, found.stranded) == (2, [])
        again = drain(broker)
        assert [(each.envelope.id, each.attempt, each.begun) for each in again] == [
            ("a", 2, False),
            ("b", 2, False),
            ("c", 1, False),
        ]

    def test_a_living_owner_keeps_what_it_holds(self, broker: Broker, another: Another) -> None:
        lease = LEASE * factor()
        living = another(lease=lease)
        living.send(envelopes("a"))
        held = living.reserve(["q"], 1, 1)
        end = clock.monotonic() + 3 * lease

        def is_over() -> bool:
            assert living.renew(lease)
            assert broker.recover() == Recovered()
            return clock.monotonic() > end

        until(is_over)
        assert living.conclude([Conclusion(held[0])]) == []

    def test_renew_may_come_before_the_first_reserve(self, broker: Broker) -> None:
        assert broker.renew(30)
        assert broker.renew(30)

    def test_renew_tells_the_time_that_hand_outs_bear(self, broker: Broker) -> None:
        broker.send(envelopes("a", due=broker.renew(30).time + 0.1))
        before = broker.renew(30).time
        (held,) = broker.reserve(["q"], 1, 10)
        assert max(before, held.envelope.due or 0.0) <= held.when <= broker.renew(30).time

    def test_an_owner_taken_for_dead_is_told_by_renew(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a"))
        dying.reserve(["q"], 1, 1)
        recovered(broker)
        assert not dying.renew(30)
        assert dying.renew(30)
        again = dying.reserve(["q"], 1, 1)
        assert (ids(again), again[0].attempt) == (["a"], 2)
        assert broker.recover() == Recovered()
        assert dying.conclude([Conclusion(again[0])]) == []

    def test_what_an_owner_reserved_after_its_lease_was_lost_is_its_own(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a", "b"))
        before = dying.reserve(["q"], 1, 1)
        recovered(broker)
        after = dying.reserve(["q"], 2, 1)
        assert ids(after) == ["a", "b"]
        assert not dying.renew(30)
        assert dying.conclude([Conclusion(before[0])]) == before
        assert dying.conclude([Conclusion(after[0])]) == []
        assert broker.depth(["q"])["q"].held == 1
        dying.close()
        assert ids(drain(broker)) == ["b"]

    def test_what_was_begun_with_early_ack_is_stranded_not_run_again(self, broker: Broker, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes("a", "b"))
        held = dying.reserve(["q"], 2, 1)
        assert dying.started(held[:1]) == []
        found = recovered(broker)
        assert found.returned == 1
        assert [(each.envelope.id, each.queue, each.attempt, each.begun) for each in found.stranded] == [("a", "q", 2, True)]
        assert broker.depth(["q"])["q"].held == 1
        assert broker.conclude([Conclusion(found.stranded[0], buried="its worker died")]) == []
        assert ids(drain(broker)) == ["b"]

    def test_what_was_handed_out_too_often_is_stranded(self, broker: Broker, another: Another) -> None:
        broker.send(envelopes("a"))
        broker.release(broker.reserve(["q"], 1, 1), counted=True)
        dying = another(lease=LEASE)
        rescuer = another(max_deliveries=2)
        assert dying.reserve(["q"], 1, 1)[0].attempt == 2
        found = recovered(rescuer)
        assert (found.returned, ids(found.stranded), found.stranded[0].begun) == (0, ["a"], False)
        assert rescuer.conclude([Conclusion(found.stranded[0])]) == []
        assert broker.queues() == []

    def test_the_stranded_of_a_rescuer_that_dies_are_stranded_again(self, broker: Broker, another: Another) -> None:
        dying, rescuer = another(lease=LEASE), another(lease=LEASE)
        dying.send(envelopes("a"))
        dying.started(dying.reserve(["q"], 1, 1))
        first = recovered(rescuer)
        second = recovered(broker)
        assert ids(first.stranded) == ids(second.stranded) == ["a"]
        assert second.stranded[0].begun
        assert rescuer.conclude([Conclusion(first.stranded[0])]) == first.stranded

    def test_what_a_rescuer_gives_back_is_still_known_as_begun(self, broker: Broker, another: Another) -> None:
        dying, rescuer = another(lease=LEASE), another()
        dying.send(envelopes("a"))
        dying.started(dying.reserve(["q"], 1, 1))
        rescuer.release(recovered(rescuer).stranded)
        (again,) = broker.reserve(["q"], 1, 1)
        assert again.begun

    def test_what_its_owner_gives_back_was_not_begun(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        held = broker.reserve(["q"], 1, 1)
        assert broker.started(held) == []
        assert broker.release(held) == []
        assert not broker.reserve(["q"], 1, 1)[0].begun

    def test_recover_with_nobody_dead_does_nothing(self, broker: Broker, another: Another) -> None:
        broker.send(envelopes("a"))
        held = broker.reserve(["q"], 1, 1)
        assert another().recover() == broker.recover() == Recovered()
        assert broker.conclude([Conclusion(held[0])]) == []

    def test_only_one_of_many_rescuers_gets_the_stranded(self, another: Another) -> None:
        dying = another(lease=LEASE)
        dying.send(envelopes(*map(str, range(50))))
        dying.started(dying.reserve(["q"], 50, 1))
        rescuers = [another() for _ in range(4)]
        found: list[Delivery] = []

        def rescue(rescuer: Broker) -> None:
            end = clock.monotonic() + patience()
            while len(found) < 50 and clock.monotonic() < end:
                found.extend(rescuer.recover().stranded)
            found.extend(rescuer.recover().stranded)

        threads = [threading.Thread(target=rescue, args=(each,)) for each in rescuers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert sorted(ids(found)) == sorted(map(str, range(50)))

    # Looking

    def test_purge_takes_what_is_ready_or_not_due_and_nothing_else(self, broker: Broker) -> None:
        self.bury(broker, "dead")
        broker.send([*envelopes("held", "back"), *envelopes("x", queue="other")])
        held = broker.reserve(["q"], 2, 1)
        broker.release(held[1:])
        broker.send([*envelopes("a", "b"), envelope("urgent", priority=9), envelope("later", due=clock.now() + 60)])
        assert broker.purge("q") == 5
        assert broker.purge("q") == broker.purge("unknown") == 0
        assert broker.depth(["q"]) == {"q": Depth(held=1, dead=1)}
        assert ids(drain(broker, "other")) == ["x"]
        assert broker.conclude([Conclusion(held[0])]) == []

    def test_the_queues_are_those_that_hold_anything(self, broker: Broker) -> None:
        self.bury(broker, "a", queue="dead")
        broker.send([*envelopes("b", queue="held"), *envelopes("c", queue="empty"), *envelopes("d", queue="ready")])
        broker.send(envelopes("e", queue="later", due=clock.now() + 60))
        broker.conclude([Conclusion(each) for each in broker.reserve(["empty"], 1, 1)])
        broker.reserve(["held"], 1, 1)
        assert broker.queues() == ["dead", "held", "later", "ready"]

    def test_depth_counts_what_is_ready_held_later_and_dead(self, broker: Broker) -> None:
        self.bury(broker, "x")
        broker.send([*envelopes("a", "b", "c", "d"), envelope("urgent", priority=9), envelope("l", due=clock.now() + 60)])
        held = broker.reserve(["q"], 3, 1)
        broker.release(held[:1])
        depth = broker.depth(["q", "unknown"])
        assert depth["unknown"] == Depth()
        oldest = depth["q"].oldest
        assert oldest is not None
        assert 0 <= oldest < 60
        assert depth["q"] == Depth(ready=3, held=2, later=1, dead=1, oldest=oldest)

    def test_the_oldest_is_the_one_that_is_ready_longest(self, broker: Broker) -> None:
        broker.send(envelopes("a"))
        sent = clock.monotonic()
        until(lambda: clock.monotonic() > sent + 0.05)
        broker.send(envelopes("b", priority=9))
        broker.release(broker.reserve(["q"], 2, 1))
        oldest = broker.depth(["q"])["q"].oldest
        assert oldest is not None
        assert 0.04 < oldest < 60

    # Leaving

    def test_close_gives_back_what_is_held(self, broker: Broker, another: Another) -> None:
        leaving = another()
        leaving.send(envelopes("a", "b"))
        held = leaving.reserve(["q"], 1, 1)
        leaving.close()
        leaving.close()
        assert [(each.envelope.id, each.attempt) for each in drain(broker)] == [("a", 1), ("b", 1)]
        assert leaving.conclude([Conclusion(held[0])]) == held

    def test_what_ran_when_its_owner_left_is_known_as_begun(self, broker: Broker, another: Another) -> None:
        leaving = another()
        leaving.send(envelopes("a"))
        leaving.started(leaving.reserve(["q"], 1, 1))
        leaving.close()
        assert broker.reserve(["q"], 1, 1)[0].begun

    def test_close_ends_a_blocked_reserve_within_a_second(self, another: Another) -> None:
        leaving = another()
        entered = threading.Event()
        found: list[list[Delivery]] = []

        def wait() -> None:
            entered.set()
            found.append(leaving.reserve(["q"], 1, 60))

        thread = threading.Thread(target=wait)
        thread.start()
        entered.wait(patience())
        begun = pace()
        leaving.close()
        thread.join(patience())
        assert found == [[]]
        assert pace() - begun < 1

    def test_reserve_gives_nothing_once_closed(self, broker: Broker, another: Another) -> None:
        broker.send(envelopes("a"))
        leaving = another()
        leaving.close()
        assert leaving.reserve(["q"], 1, 30) == []
        assert ids(drain(broker)) == ["a"]

    # Processes

    def test_a_forked_child_is_another_owner(self, broker: Broker) -> None:
        broker.send(envelopes("a", "b"))
        held = broker.reserve(["q"], 1, 1)
        owner = broker.owner

        def live() -> bool:
            broker.send(envelopes("from the child", queue="child"))
            theirs = drain(broker)
            lost = broker.conclude([Conclusion(held[0])]) == held
            done = broker.conclude([Conclusion(each) for each in theirs]) == []
            seen = ids(theirs) == (["b"] if self.shared_by_processes else [])
            return lost and done and seen and broker.owner != owner

        assert in_a_child(live)
        assert ids(drain(broker, "child")) == (["from the child"] if self.shared_by_processes else [])
        assert ids(drain(broker)) == ([] if self.shared_by_processes else ["b"])
        assert broker.owner == owner
        assert broker.conclude([Conclusion(held[0])]) == []
