"""Parts that nobody can run, or whose workers died with them: their chord ends, told why, and each errback is called once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.canvas.conftest import Stand

from umbel import Signature, chain, chord
from umbel.errors import ChordError
from umbel.stores.broker import Broker
from umbel.stores.url import open_broker
from umbel.testing.waiting import patience, until

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
