"""The lease is kept, and only the dead lose what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from umbel import clock
from umbel.errors import BrokerDown
from umbel.stores.broker import Conclusion, Delivery, Recovered, Renewal
from umbel.stores.memory.broker import MemoryBroker
from umbel.testing.given import envelopes, ids
from umbel.testing.waiting import patience
from umbel.worker.lease import Lease

SECONDS = 0.6
LONG = 1000.0


class Troubled(MemoryBroker):
    """A memory broker that may be out of reach, and counts how often it could renew."""

    is_down = False
    renewed = 0
    tried = 0
    turns: Iterator[Callable[[], object]] = iter(())
    """What others do, one thing at each of its next renewals."""
    meanwhile: Iterator[Callable[[], object]] = iter(())
    """What happens between a renewal and its recovery."""

    def recover(self, until: float | None = None) -> Recovered:
        next(self.meanwhile, list)()
        return super().recover(until)

    def renew(self, seconds: float) -> Renewal:
        self.tried += 1
        if self.is_down:
            raise BrokerDown("the store is away")
        self.renewed += 1
        next(self.turns, list)()
        return super().renew(seconds)

    def let(self, happen: Callable[[], object], *, then: MemoryBroker) -> list[Renewal]:
        """Let that happen at the next renewal, and `then` renew at the one after that, too late for whoever is in haste.

        Gives what the other hears.
        """
        heard: list[Renewal] = []
        self.turns = iter([happen, lambda: heard.append(then.renew(LONG / 2))])
        return heard


@pytest.fixture
def worker(request):
    return Troubled(f"lease-{request.node.name}", lease=SECONDS)


@pytest.fixture
def other(request):
    return MemoryBroker(f"lease-{request.node.name}", lease=SECONDS)


@pytest.fixture
def later(monkeypatch) -> Callable[[], None]:
    """Moves the clock so far that every lease has ended."""
    now, monotonic, moved = clock.now, clock.monotonic, [0.0]
    monkeypatch.setattr(clock, "now", lambda: now() + moved[0])
    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + moved[0])

    def move() -> None:
        moved[0] += LONG

    return move


@pytest.fixture
def jump(monkeypatch) -> Callable[[], None]:
    """Moves the store's clock alone so far that every lease seems to have ended."""
    now, moved = clock.now, [0.0]
    monkeypatch.setattr(clock, "now", lambda: now() + moved[0])

    def move() -> None:
        moved[0] += LONG

    return move


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(patience()):
        while not fact():  # noqa: ASYNC110  # it is true by the doing of other threads, which set no event
            await asyncio.sleep(0.001)


def keep(
    worker: Troubled,
    story: Callable[[list[Delivery]], object],
    lost: Callable[[], None] = lambda: None,
    sweep: Callable[[], int] = lambda: 0,
) -> None:
    """Run the service as long as the story goes, which is handed what was stranded."""

    async def run() -> None:
        stranded: list[Delivery] = []
        service = asyncio.ensure_future(Lease(worker, SECONDS, stranded=stranded.extend, lost=lost, sweep=sweep).run())
        await story(stranded)
        service.cancel()
        with suppress(asyncio.CancelledError):
            await service

    asyncio.run(run())


def test_what_a_dead_worker_held_comes_back_and_what_it_had_begun_is_told(worker, other):
    other.send(envelopes("a", "b"))
    held = other.reserve(["q"], 2, 0)
    other.started(held[:1])

    async def story(stranded):
        await until(lambda: stranded)
        assert ids(stranded) == ["a"]
        assert ids(worker.reserve(["q"], 2, 0)) == ["b"]

    keep(worker, story)


def test_a_worker_whose_lease_was_lost_hears_of_it_once(worker, other, later):
    losses = []

    async def story(stranded):
        await until(lambda: worker.renewed > 3)
        assert losses == []
        later()
        other.recover()
        renewed = worker.renewed
        await until(lambda: worker.renewed > renewed + 3)

    worker.renew(SECONDS)
    keep(worker, story, lambda: losses.append(worker.renewed))
    assert len(losses) == 1


def test_after_the_store_was_away_others_get_the_time_to_renew(worker, other, later):
    other.send(envelopes("a"))
    held = other.reserve(["q"], 1, 0)

    async def story(stranded):
        await until(lambda: worker.renewed)
        worker.is_down, tried = True, worker.tried
        await until(lambda: worker.tried > tried)
        other.renew(LONG / 2)
        heard, renewed = worker.let(later, then=other), worker.renewed
        worker.is_down = False
        await until(lambda: worker.renewed > renewed + 3)
        assert heard[0]

    keep(worker, story)
    assert other.conclude([Conclusion(each) for each in held]) == []


def test_a_worker_that_stood_still_gives_others_that_did_the_time_to_renew(worker, other, later):
    other.send(envelopes("a"))
    held = other.reserve(["q"], 1, 0)
    other.renew(LONG / 2)

    async def story(stranded):
        await until(lambda: worker.renewed > 3)
        heard, renewed = worker.let(later, then=other), worker.renewed
        await until(lambda: worker.renewed > renewed + 3)
        assert heard[0]

    keep(worker, story)
    assert other.conclude([Conclusion(each) for each in held]) == []


def test_a_clock_of_the_store_s_that_jumps_is_nobody_s_death(worker, other, jump, caplog):
    other.send(envelopes("a"))
    held = other.reserve(["q"], 1, 0)
    other.renew(LONG / 2)

    async def story(stranded):
        await until(lambda: worker.renewed > 3)
        heard, renewed = worker.let(jump, then=other), worker.renewed
        await until(lambda: worker.renewed > renewed + 3)
        assert heard[0]

    keep(worker, story)
    assert other.conclude([Conclusion(each) for each in held]) == []
    assert "jumped by 1000.0 s" in caplog.text


def test_a_jump_between_renewal_and_recovery_is_nobody_s_death_either(worker, other, jump):
    other.send(envelopes("a"))
    held = other.reserve(["q"], 1, 0)
    other.renew(LONG / 2)

    def then() -> None:
        jump()
        heard.append(worker.let(list, then=other))

    heard: list[list[Renewal]] = []

    async def story(stranded):
        await until(lambda: worker.renewed > 3)
        worker.meanwhile, renewed = iter([then]), worker.renewed
        await until(lambda: worker.renewed > renewed + 4)

    keep(worker, story)
    ((renewal,),) = heard
    assert renewal
    assert other.conclude([Conclusion(each) for each in held]) == []


def test_who_is_dead_is_found_to_be_though_the_clock_has_jumped(worker, other, jump):
    other.send(envelopes("a"))
    other.reserve(["q"], 1, 0)
    other.renew(LONG / 2)

    async def story(stranded):
        await until(lambda: worker.renewed > 3)
        jump()
        await until(lambda: worker.depth(["q"])["q"].ready)

    keep(worker, story)


def test_dead_letters_that_are_too_many_go_and_are_counted(worker, other, caplog):
    other.send(envelopes("a", "b", "c"))
    other.conclude([Conclusion(each, buried="ill") for each in other.reserve(["q"], 3, 0)])

    async def story(stranded):
        await until(lambda: len(other.buried()) == 1)
        await until(lambda: "Threw away 2 dead letters" in caplog.text)

    keep(worker, story, sweep=partial(worker.sweep, most=1, seconds=None))
