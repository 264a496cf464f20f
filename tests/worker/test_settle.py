"""Conclusions reach the store whole, also when it is away for a while or refuses one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import pytest

from umbel import clock
from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.broker import Conclusion, Delivery
from umbel.stores.memory.backend import MemoryBackend
from umbel.stores.memory.broker import MemoryBroker
from umbel.stores.slices import MOST_BYTES
from umbel.testing.waiting import patience
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result
from umbel.worker.settle import BATCH, FULL_BYTES, Settle, Way


class Troubled(MemoryBroker):
    """A memory broker that is down for some calls, and refuses results of certain ids."""

    down = 0
    refused: frozenset[str] = frozenset()

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        """As ever, if the trouble is over."""
        if self.down:
            self.down -= 1
            raise BrokerDown("the store is away")
        if any(result.id in self.refused for conclusion in conclusions for result in conclusion.results):
            raise BrokerRefused("the result is too large")
        return super().conclude(conclusions)


class Foreign(MemoryBackend):
    """A result backend of somebody else's, which raises its own errors: for some calls, or for certain ids whenever they come."""

    failing = 0
    never: frozenset[str] = frozenset()

    def store(self, results: Sequence[Result]) -> None:
        """As ever, if the trouble is over."""
        if self.failing:
            self.failing -= 1
            raise LookupError("no such table: results")
        if any(result.id in self.never for result in results):
            raise UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")
        super().store(results)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Troubled:
    """A broker of this test alone."""
    return Troubled(f"settle-{request.node.name}")


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> MemoryBackend:
    """The results of the same store."""
    return MemoryBackend(f"settle-{request.node.name}", expires=None)


def held(broker: Troubled, count: int) -> list[Delivery]:
    """Deliveries of so many messages."""
    broker.send([Envelope(f"id{n}", "q", b"{}", b"[]") for n in range(count)])
    return broker.reserve(["q"], count, 1.0)


def result(id: str) -> Result:
    """A final result."""
    return Result(id, "SUCCESS", b"{}")


def settled(broker: Troubled, backend: MemoryBackend | None, leave: Callable[[Settle], object]) -> None:
    """Run a settle service until all that `leave` leaves with it is written."""

    async def story() -> None:
        settle = Settle(broker, backend)
        service = asyncio.ensure_future(settle.run())
        leave(settle)
        await wait(settle.settled())
        service.cancel()
        with suppress(asyncio.CancelledError):
            await service

    asyncio.run(story())


async def wait(fact: Awaitable[None]) -> None:
    """Wait with a deadline."""
    async with asyncio.timeout(patience()):
        await fact


def test_where_no_results_are_kept_none_come_to_the_broker(broker: Troubled) -> None:
    broker.refused = frozenset({"id0", "id1"})
    deliveries = held(broker, 2)

    def leave(settle: Settle) -> None:
        settle.conclude(*(Conclusion(delivery, [result(delivery.envelope.id)]) for delivery in deliveries))

    settled(broker, None, leave)
    depth = broker.depth(["q"])["q"]
    assert (depth.held, depth.dead) == (0, 0)


def test_results_and_acks_arrive_together(broker: Troubled, backend: MemoryBackend) -> None:
    deliveries = held(broker, 3)

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.conclude(Conclusion(delivery, [result(delivery.envelope.id)]))

    settled(broker, backend, leave)
    assert set(backend.fetch(["id0", "id1", "id2"])) == {"id0", "id1", "id2"}
    assert broker.depth(["q"])["q"].held == 0


def test_a_store_that_is_away_is_waited_for(broker: Troubled, backend: MemoryBackend) -> None:
    (delivery,) = held(broker, 1)
    broker.down = 2
    settled(broker, backend, lambda settle: settle.conclude(Conclusion(delivery, [result("id0")])))
    assert backend.fetch(["id0"])
    assert broker.down == 0


def test_an_outcome_that_is_refused_buries_its_delivery_and_no_other(broker: Troubled, backend: MemoryBackend) -> None:
    deliveries = held(broker, 3)
    broker.refused = frozenset({"id1"})

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.conclude(Conclusion(delivery, [result(delivery.envelope.id)]))

    settled(broker, backend, leave)
    assert set(backend.fetch(["id0", "id1", "id2"])) == {"id0", "id2"}
    (buried,) = broker.buried()
    assert buried.envelope.id == "id1"
    assert "too large" in buried.reason


def test_releases_go_their_ways(broker: Troubled, backend: MemoryBackend) -> None:
    first, second, third = held(broker, 3)
    at = clock.monotonic() + 60

    def leave(settle: Settle) -> None:
        settle.release(first)
        settle.release(second, Way(at=at))
        settle.release(third, Way(counted=True))

    settled(broker, backend, leave)
    depth = broker.depth(["q"])["q"]
    assert (depth.ready, depth.later, depth.held) == (2, 1, 0)
    attempts = {delivery.envelope.id: delivery.attempt for delivery in broker.reserve(["q"], 10, 1.0)}
    assert attempts == {"id0": 1, "id2": 2}


def test_a_note_is_stored(broker: Troubled, backend: MemoryBackend) -> None:
    settled(broker, backend, lambda settle: settle.note(Result("id0", "STARTED", b"{}")))
    assert backend.fetch(["id0"])["id0"].state == "STARTED"


def test_a_store_without_the_results_gets_them_first(broker: Troubled) -> None:
    elsewhere = MemoryBackend("settle-elsewhere", expires=None)
    (delivery,) = held(broker, 1)
    settled(broker, elsewhere, lambda settle: settle.conclude(Conclusion(delivery, [result("id0")])))
    assert elsewhere.fetch(["id0"])
    assert broker.depth(["q"])["q"].held == 0


def test_results_that_nobody_keeps_are_not_told_to_the_broker(broker: Troubled) -> None:
    """A broker on Redis would refuse the whole outcome for them."""
    broker.refused = frozenset({"id0"})
    (delivery,) = held(broker, 1)
    outcome = Conclusion(delivery, [result("id0")], [Envelope("next", "q", b"{}", b"[]")])
    settled(broker, None, lambda settle: settle.conclude(outcome))
    assert [delivery.envelope.id for delivery in broker.reserve(["q"], 9, 0.0)] == ["next"]


def test_void_outcomes_are_told(broker: Troubled, backend: MemoryBackend, caplog: pytest.LogCaptureFixture) -> None:
    (delivery,) = held(broker, 1)
    broker.conclude([Conclusion(delivery)])
    settled(broker, backend, lambda settle: settle.conclude(Conclusion(delivery, [result("id0")])))
    assert "1 outcome is void" in caplog.text
    assert not backend.fetch(["id0"])


def test_outcomes_whose_answer_was_lost_are_no_alarm(backend: MemoryBackend, caplog: pytest.LogCaptureFixture) -> None:
    class Forgetful(Troubled):
        def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
            answer = MemoryBroker.conclude(self, conclusions)
            if self.down:
                self.down -= 1
                raise BrokerDown("the answer was lost")
            return answer

    broker = Forgetful("settle-test_outcomes_whose_answer_was_lost_are_no_alarm")
    (delivery,) = held(broker, 1)
    broker.down = 1
    with caplog.at_level("INFO"):
        settled(broker, backend, lambda settle: settle.conclude(Conclusion(delivery, [result("id0")])))
    assert backend.fetch(["id0"])
    assert "1 outcome was written before" in caplog.text
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.getMessage() == "Outcomes are written again"


def test_more_than_a_batch_is_written_in_several(broker: Troubled, backend: MemoryBackend) -> None:
    deliveries = held(broker, BATCH + 10)

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.conclude(Conclusion(delivery))

    settled(broker, backend, leave)
    assert broker.depth(["q"])["q"].held == 0


def test_a_result_that_its_backend_refuses_buries_the_delivery(broker: Troubled) -> None:
    class Picky(MemoryBackend):
        def store(self, results: Sequence[Result]) -> None:
            if any(result.id == "id1" for result in results):
                raise BrokerRefused("the result is too large")
            super().store(results)

    elsewhere = Picky("settle-picky", expires=None)
    deliveries = held(broker, 3)

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.conclude(Conclusion(delivery, [result(delivery.envelope.id)]))

    settled(broker, elsewhere, leave)
    assert set(elsewhere.fetch(["id0", "id1", "id2"])) == {"id0", "id2"}
    (buried,) = broker.buried()
    assert buried.envelope.id == "id1"


@pytest.mark.parametrize("state", ["SUCCESS", "STARTED"])
def test_a_backend_that_raises_its_own_errors_is_tried_again(broker: Troubled, state: str) -> None:
    foreign = Foreign(f"settle-elsewhere-{state}", expires=None)
    foreign.failing = 2
    (delivery,) = held(broker, 1)

    def leave(settle: Settle) -> None:
        if state == "STARTED":
            settle.note(Result("id0", state, b"{}"))
        else:
            settle.conclude(Conclusion(delivery, [Result("id0", state, b"{}")]))

    settled(broker, foreign, leave)
    assert foreign.fetch(["id0"])["id0"].state == state
    assert not broker.buried()


def test_what_a_backend_never_takes_ends_its_own_delivery_and_no_other(broker: Troubled) -> None:
    foreign = Foreign("settle-elsewhere-never", expires=None)
    foreign.never = frozenset({"id1"})
    deliveries = held(broker, 3)

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.note(Result(delivery.envelope.id, "STARTED", b"{}"))
            settle.conclude(Conclusion(delivery, [result(delivery.envelope.id)]))

    settled(broker, foreign, leave)
    assert set(foreign.fetch(["id0", "id1", "id2"])) == {"id0", "id2"}
    (letter,) = broker.buried()
    assert letter.envelope.id == "id1"
    assert "surrogates not allowed" in letter.reason


def test_a_broker_that_raises_its_own_errors_gets_its_deliveries_back_counted(broker: Troubled, backend: MemoryBackend) -> None:
    class Odd(Troubled):
        def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
            if any(each.delivery.envelope.id == "id1" for each in conclusions):
                raise KeyError("a bug in it")
            return super().conclude(conclusions)

    odd = Odd(f"{broker.url}-odd")
    deliveries = held(odd, 3)

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.conclude(Conclusion(delivery, [result(delivery.envelope.id)]))

    settled(odd, MemoryBackend("settle-odd", expires=None), leave)
    (back,) = odd.reserve(["q"], 5, 1.0)
    assert (back.envelope.id, back.attempt) == ("id1", 2)


def test_long_results_are_written_a_few_at_a_time(backend: MemoryBackend) -> None:
    written: list[int] = []

    class Weighing(Troubled):
        def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
            written.append(sum(len(each.results[0].document) for each in conclusions))
            return super().conclude(conclusions)

    broker = Weighing("settle-test_long_results_are_written_a_few_at_a_time")
    long = bytes(MOST_BYTES // 10)
    deliveries = held(broker, 30)

    def leave(settle: Settle) -> None:
        for delivery in deliveries:
            settle.conclude(Conclusion(delivery, [Result(delivery.envelope.id, "SUCCESS", long)]))

    settled(broker, backend, leave)
    assert sum(written) == 30 * len(long)
    assert max(written) <= MOST_BYTES


def test_it_is_full_by_bytes_and_has_room_again_while_the_rest_is_written(broker: Troubled, backend: MemoryBackend) -> None:
    deliveries = held(broker, 8)
    long = bytes(FULL_BYTES // 8)

    async def story() -> None:
        settle = Settle(broker, backend)
        for delivery in deliveries:
            assert not settle.is_full
            settle.conclude(Conclusion(delivery, [Result(delivery.envelope.id, "SUCCESS", long)]))
        assert settle.is_full
        service = asyncio.ensure_future(settle.run())
        await wait(settle.room())
        assert not settle.is_full
        await wait(settle.settled())
        service.cancel()
        with suppress(asyncio.CancelledError):
            await service

    asyncio.run(story())


def test_what_is_left_about_the_same_time_goes_back_together() -> None:
    ways = {Way.after(1 + number / 1000, parked=True) for number in range(1000)}
    assert len(ways) <= 4
    assert all(way.at is not None and way.at > clock.monotonic() for way in ways)
