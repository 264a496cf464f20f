"""Parts that nobody can run, or whose workers died with them: their chord ends, told why, and each errback is called once."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.canvas.conftest import Stand

from umbel import Signature, chain, chord, group
from umbel.canvas.settle import copied
from umbel.client.canvas import launch
from umbel.errors import ChordError
from umbel.execution.request import Request
from umbel.follow import links
from umbel.stores.broker import Broker, Conclusion
from umbel.stores.url import open_broker
from umbel.testing.waiting import patience, until
from umbel.wire import protocol

BRIEF = 0.3
"""Seconds of the lease of a worker that dies."""


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Stand]:
    """Makes a stand whose worker does not run yet."""
    name = request.param
    url = {"memory": f"memory://{tmp_path.name}", "sqlite": f"sqlite:///{tmp_path}/lost.db"}.get(name)
    queue = f"lost{tmp_path.name}"

    def one(**settings: Any) -> Stand:
        where = url or f"{request.getfixturevalue('redis')}/7"
        return Stand("lost", broker=where, backend=where, task_default_queue=queue, broker_lease=1.0, **settings)

    return one


@pytest.fixture
def dying(make: Callable[..., Stand]) -> Iterator[Broker]:
    """A worker's side of the store that takes what comes, and then is never heard of again."""
    with closing(open_broker(make().app.conf.broker_url, lease=BRIEF)) as broker:
        yield broker


def with_errback(stand: Stand) -> Any:
    return stand.total.s().on_error(stand.hear.s())


def ends(stand: Stand, result: Any, why: str) -> None:
    """That a chord fails so, that its errback is called once, and that no record of it stays."""
    with pytest.raises(ChordError, match=why):
        result.get(timeout=patience())
    until(lambda: stand.heard)
    assert [each[0] for each in stand.heard] == [result.id]
    store = stand.app.result_store
    assert store is not None
    until(lambda: store.parts(result.parent.id) is None)


def take(broker: Broker, stand: Stand, id_: str, *, begun: bool) -> None:
    """Let it hold this one task, and not the others."""
    held = broker.reserve([stand.app.conf.task_default_queue], 10, patience())
    (mine,) = (each for each in held if each.envelope.id == id_)
    broker.release([each for each in held if each is not mine])
    if begun:
        broker.started([mine])


@pytest.mark.parametrize("ttl", [0.0, 0.2])
def test_a_part_that_no_worker_knows_is_buried_and_ends_its_chord(make: Callable[..., Stand], ttl: float) -> None:
    with make(task_unknown_ttl=ttl) as stand:
        unknown = Signature("nobody.knows", app=stand.app)
        ends(stand, chord([stand.add.s(1, 1), unknown], with_errback(stand)).apply_async(), "raised NotRegistered")
        (letter,) = stand.app.broker.buried(stand.app.conf.task_default_queue)
        assert "nobody.knows" in letter.reason


def test_an_unknown_step_of_a_part_ends_its_chord(make: Callable[..., Stand]) -> None:
    with make(task_unknown_ttl=0.0) as stand:
        part = chain(stand.add.s(1, 1), Signature("nobody.knows", app=stand.app), *(stand.add.s(1) for _ in range(150)))
        result = chord([stand.add.s(1, 1), part], with_errback(stand)).apply_async()
        ends(stand, result, "raised NotRegistered")
        with pytest.raises(Exception, match=r"nobody\.knows"):
            result.parent.results[1].get(timeout=patience(), follow_parents=False)


def test_an_unknown_body_ends_the_chord_around_it(make: Callable[..., Stand]) -> None:
    with make(task_unknown_ttl=0.0) as stand:
        inner = chord([stand.add.s(1, 1)], Signature("nobody.knows", app=stand.app))
        ends(stand, chord([stand.add.s(1, 1), inner], with_errback(stand)).apply_async(), "raised NotRegistered")


def test_a_part_whose_worker_died_with_it_ends_its_chord(make: Callable[..., Stand], dying: Broker) -> None:
    stand = make()
    stand.add.acks_late = False
    result = chord([stand.same.s(1), stand.add.s(1, 1)], with_errback(stand)).apply_async()
    take(dying, stand, result.parent.results[1].id, begun=True)
    with stand:
        ends(stand, result, "raised WorkerLostError")


def test_a_part_that_is_handed_out_too_often_is_buried_and_ends_its_chord(make: Callable[..., Stand], dying: Broker) -> None:
    stand = make(task_max_deliveries=1)
    result = chord([stand.same.s(1), stand.add.s(1, 1)], with_errback(stand)).apply_async()
    take(dying, stand, result.parent.results[1].id, begun=False)
    with stand:
        ends(stand, result, "raised WorkerLostError")
        (letter,) = stand.app.broker.buried(stand.app.conf.task_default_queue)
        assert "handed out" in letter.reason


def test_a_stranded_step_of_a_part_that_nobody_knows_ends_its_chord(make: Callable[..., Stand], dying: Broker) -> None:
    """The worker that ends it does not have the task either."""
    stand = make(task_max_deliveries=1)
    unknown = Signature("nobody.knows", app=stand.app)
    result = chord([stand.same.s(1), chain(unknown, stand.add.s(1))], with_errback(stand)).apply_async()
    take(dying, stand, result.parent.results[1].parent.id, begun=True)
    with stand:
        ends(stand, result, "raised WorkerLostError")


@pytest.mark.parametrize("odd", [5, "hear", {"task": 5}, {"task": "stand.hear", "args": 5}])
def test_a_chord_whose_errbacks_are_none_ends_too(make: Callable[..., Stand], monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    monkeypatch.setattr(launch, "sendable", copied)  # as a client that looks at nothing
    with make() as stand:
        last = stand.total.s()
        last.options["link_error"] = [odd]
        result = chord([stand.add.s(1, 1), stand.fail.s()], last).apply_async()
        with pytest.raises(ChordError, match="raised ValueError"):
            result.get(timeout=patience())


RECORDS: dict[str, tuple[str, ...]] = {
    "its size": ("s",),
    "its parts": ("j",),
    "all": ("s", "j", "d", "t"),
}


@pytest.mark.parametrize("keys", RECORDS.values(), ids=RECORDS)
def test_a_chord_whose_record_redis_has_thrown_out_fails(redis: str, tmp_path: Path, keys: tuple[str, ...]) -> None:
    url = f"{redis}/6"
    with Stand("evicted", broker=url, backend=url, task_default_queue=f"evicted{tmp_path.name}") as stand:
        first, last = stand.add.s(1, 1), stand.add.s(1, 1).set(queue=(other := f"other{tmp_path.name}"))
        result = chord([first, last], with_errback(stand)).apply_async()
        header = result.parent.results
        header[0].get(timeout=patience())
        store: Any = stand.app.result_store
        assert store._link.ask("DEL", *(f"celery-taskset-meta-{result.parent.id}.{key}" for key in keys))
        with Stand("evicted", broker=url, backend=url, task_default_queue=other) as second:
            with pytest.raises(ChordError, match="the store has lost"):
                result.get(timeout=patience())
            until(lambda: [*stand.heard, *second.heard])
            until(lambda: store.ended(result.parent.id))
            assert header[1].get(timeout=patience()) == 2
    assert [each[0] for each in [*stand.heard, *second.heard]] == [result.id]


def test_a_chord_that_is_gone_when_its_body_is_to_be_sent_fails(make: Callable[..., Stand], dying: Broker) -> None:
    stand = make()
    result = chord([stand.add.s(1, 1)], with_errback(stand)).apply_async()
    (held,) = dying.reserve([stand.app.conf.task_default_queue], 1, patience())
    message = protocol.decode(held.envelope, frozenset({"application/json"}))
    request = Request.from_message(message, held.envelope, None, hostname="h")
    step = links.order_to_fire(request, "gone", request.chord)
    dying.conclude([Conclusion(held, envelopes=[stand.app.writer.order(step, parent=request)])])
    with stand:
        with pytest.raises(ChordError, match="lost all that it kept"):
            result.get(timeout=patience())
        until(lambda: stand.heard)
        store = stand.app.result_store
        assert store is not None
        until(lambda: store.ended("gone"))
        stand.app.broker.send([stand.app.writer.order(step, parent=request)])
        until(lambda: (depth := stand.app.broker.depth([held.queue])[held.queue]).ready == depth.held == 0)
    assert [each[0] for each in stand.heard] == [result.id]


JOINS: dict[str, Callable[[Stand, Signature], Signature]] = {
    "a part": lambda t, it: chord([t.add.s(1, 1), it], with_errback(t)),
    "the first step of a part": lambda t, it: chord([t.add.s(1, 1), it | t.add.si(1, 1)], with_errback(t)),
    "the last step of a part": lambda t, it: chord([t.add.s(1, 1), t.add.si(1, 1) | it], with_errback(t)),
    "a group at the end of a part": lambda t, it: chord([t.add.s(1, 1), chain(t.add.si(1, 1), group(it, it))], with_errback(t)),
    "a part of a part": lambda t, it: chord([t.add.s(1, 1), chord([it, it], t.total.s())], with_errback(t)),
    "the body of a part": lambda t, it: chord([t.add.s(1, 1), chord([t.add.s(1, 1)], it)], with_errback(t)),
}
BURIALS: dict[str, Callable[[Stand], Signature]] = {
    "unknown": lambda t: t.app.signature("nobody.knows", immutable=True),
    "unreadable": lambda t: t.same.si(1).set(serializer="msgpack"),
    "expired": lambda t: t.same.si(1).set(expires=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)),
    "revoked": lambda t: stamped(t.same.si(1)),
    "rejected": lambda t: t.reject.si(),
}


def stamped(it: Signature) -> Signature:
    it.stamp(called_off="yes")
    return it


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("burial", BURIALS)
def test_whatever_buries_a_piece_its_chord_ends_and_its_errback_is_called_once(
    make: Callable[..., Stand], burial: str, join: str
) -> None:
    stand = make(task_unknown_ttl=0.0, accept_content=["json"])
    with stand:
        stand.worker.judge.stamps.setdefault("called_off", set()).add("yes")
        result = JOINS[join](stand, BURIALS[burial](stand)).apply_async()
        with pytest.raises(ChordError):
            result.get(timeout=patience(), follow_parents=False)
        until(lambda: stand.heard)
        store = stand.app.result_store
        assert store is not None
        until(lambda: store.ended(result.parent.id))
    assert [each[0] for each in stand.heard] == [result.id]
