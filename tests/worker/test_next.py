"""What follows a run comes to the worker that ran it, if nobody is passed over; and it keeps all that it would keep otherwise."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.servers import redis
from tests.worker.serving import serving

from umbel import Umbel, chain, chord
from umbel.errors import TaskRevokedError
from umbel.stores.broker import Broker, Delivery
from umbel.testing.waiting import patience, until

Make = Callable[..., Umbel]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.RedisServer]:
    with redis.running(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make(request: pytest.FixtureRequest, server: redis.RedisServer, tmp_path: Any) -> Iterator[Make]:
    """Makes the app of a test, on a store of its own."""
    prefix = f"?global_keyprefix={next(_numbers)}"
    urls = {
        "memory": f"memory://{request.node.name}",
        "sqlite": f"sqlite:///{tmp_path}/q.db",
        "redis": f"redis://127.0.0.1:{server.port}/0{prefix}",
    }
    opened = []

    def begin(**settings: Any) -> Umbel:
        url = urls[request.param]
        app = Umbel("next", broker=url, backend=url, worker_enable_remote_control=False, set_as_current=False, **settings)
        opened.append(app)
        return app

    yield begin
    for app in opened:
        app.close()


def reserving(app: Umbel, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of what is reserved from now on, not held at once."""
    found = list[str]()
    reserve = type(app.broker).reserve

    def reserved(self: Broker, *how: Any) -> list[Delivery]:
        got = reserve(self, *how)
        found.extend(each.envelope.id for each in got)
        return got

    monkeypatch.setattr(type(app.broker), "reserve", reserved)
    return found


def gated(app: Umbel) -> tuple[Any, threading.Event, list[str]]:
    """A task that notes its argument and waits for a gate, the gate, and what was noted."""
    gate, ran = threading.Event(), list[str]()

    @app.task(name="step")
    def step(name: str) -> None:
        ran.append(name)
        gate.wait(patience())

    return step, gate, ran


def test_steps_of_a_chain_are_not_reserved_one_by_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make()

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(name="total")
    def total(values: list[int]) -> int:
        return sum(values)

    reserved = reserving(app, monkeypatch)
    with serving(app):
        assert chain(add.s(0, 1), *(add.s(1) for _ in range(29))).delay().get(timeout=patience()) == 30
        assert chord([add.s(1, n) for n in range(3)], total.s()).delay().get(timeout=patience()) == 6
    assert len(reserved) < 15


def test_a_step_with_early_ack_is_recorded_as_begun_before_it_runs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(task_acks_late=False)
    begun: list[str] = []
    started = type(app.broker).started

    def note(self: Broker, early: Any) -> list[Delivery]:
        begun.extend(each.envelope.id for each in early)
        return started(self, early)

    monkeypatch.setattr(type(app.broker), "started", note)

    @app.task(name="own", bind=True)
    def own(self: Any) -> bool:
        return self.request.id in begun

    with serving(app):
        result = chain(own.si() for _ in range(10)).delay()
        assert result.get(timeout=patience())
        while result.parent is not None:
            result = result.parent
            assert result.get(timeout=patience())


@pytest.mark.parametrize("multiplier", [1, 4])
def test_what_waits_elsewhere_comes_between_the_steps_of_a_chain(make: Make, multiplier: int) -> None:
    app = make(worker_prefetch_multiplier=multiplier, task_queues=["celery", "other"])
    gate, ran, at_once, most = threading.Event(), [], [0], [0]

    @app.task(name="step")
    def step(name: str) -> None:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        if name == "0":
            gate.wait(patience())
        ran.append(name)
        at_once[0] -= 1

    with serving(app, concurrency=1):
        last = chain(step.si(str(number)) for number in range(30)).delay()
        until(lambda: at_once[0])
        others = [step.apply_async(("other",), queue="other") for _ in range(5)]
        gate.set()
        last.get(timeout=patience())
        for each in others:
            each.get(timeout=patience())
    assert ran.index("other") < len(ran) - 6
    assert most[0] == 1
    assert [name for name in ran if name != "other"] == [str(number) for number in range(30)]


def test_no_more_is_in_hand_than_settings_allow(make: Make) -> None:
    app = make(worker_prefetch_multiplier=1)
    seen = []

    @app.task(name="step")
    def step() -> None:
        seen.append(len(worker.book) + len(worker.fetch.later))

    with serving(app, concurrency=2) as worker:
        for last in [chain(step.si() for _ in range(20)).delay() for _ in range(5)]:
            last.get(timeout=patience())
    assert max(seen) <= 2
    assert len(seen) == 100


def test_steps_keep_their_rate_limit(make: Make) -> None:
    app = make()
    turns: list[float] = []

    @app.task(name="slow", rate_limit="20/s")
    def slow() -> None:
        turns.append(app.broker.renew(30).time)

    with serving(app):
        chain(slow.si() for _ in range(6)).delay().get(timeout=patience())
    assert turns[-1] - turns[0] > 0.04 * (len(turns) - 1)


def test_a_revoked_step_does_not_run(make: Make) -> None:
    app = make()
    step, gate, ran = gated(app)

    with serving(app):
        last = chain(step.si("a"), step.si("b"), step.si("c")).delay()
        until(lambda: ran)
        assert last.parent is not None
        last.parent.revoke()
        gate.set()
        with pytest.raises(TaskRevokedError):
            last.get(timeout=patience())
    assert ran == ["a"]


def test_steps_for_a_queue_that_is_no_longer_served_wait_there(make: Make) -> None:
    app = make()
    step, gate, ran = gated(app)

    with serving(app) as worker:
        chain(step.si("a"), step.si("b")).delay()
        until(lambda: ran)
        worker.loop.call_soon_threadsafe(worker.fetch.serve, [])
        until(lambda: not worker.fetch.queues)
        worker.fetch._thread.submit(bool).result(patience())  # behind a reserve that was asked for before, if there was one
        gate.set()
        until(lambda: app.broker.depth(["celery"])["celery"].ready == 1)
        assert ran == ["a"]
        worker.loop.call_soon_threadsafe(worker.fetch.serve, ["celery"])
        until(lambda: ran == ["a", "b"])


def test_a_worker_that_stops_leaves_the_next_step_to_others(make: Make) -> None:
    app = make()
    step, gate, ran = gated(app)

    with serving(app) as worker:
        last = chain(step.si("a"), step.si("b")).delay()
        until(lambda: ran)
        worker.stop()
        until(lambda: worker.fetch.wanted() == ())
        gate.set()
    assert ran == ["a"]
    assert app.broker.depth(["celery"])["celery"].ready == 1
    with serving(app):
        last.get(timeout=patience())
    assert ran == ["a", "b"]


def test_what_several_callbacks_do_keeps_its_order(make: Make) -> None:
    app = make()
    ran = []

    @app.task(name="first")
    def first() -> None:
        pass

    @app.task(name="callback")
    def callback(*what: int) -> None:
        ran.append(what)

    with serving(app, concurrency=1):
        for number in range(20):
            first.apply_async(link=[callback.si(number, place) for place in range(3)])
            until(lambda number=number: len(ran) == 3 * number + 3)  # so that its places idle
    assert ran == sorted(ran)
