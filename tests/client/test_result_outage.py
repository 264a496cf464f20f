"""Results whose store goes away while they are waited for."""

from __future__ import annotations

import asyncio
import threading

import pytest
from redis import Redis
from tests.servers.redis import running

from umbel import AsyncResult, BrokerDown, GroupResult, TimeoutError, Umbel
from umbel.client.results import hope, result, waiter
from umbel.testing.waiting import patience, until
from umbel.wire.result import encode


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def app(server):
    with Umbel("proj", broker=f"redis://127.0.0.1:{server.port}", backend=f"redis://127.0.0.1:{server.port}") as app:
        yield app


def test_an_unknown_task_is_given_up_soon_unless_workers_of_celerys_are_there(app, server, monkeypatch):
    monkeypatch.setattr(hope, "FIRST_DOUBT", 0.01)
    monkeypatch.setattr(result, "FIRST_DOUBT", 0.01)
    with pytest.raises(TimeoutError, match="task unknown, no queue has it, and no worker holds it"):
        app.AsyncResult("unknown").get()
    monkeypatch.setattr(hope, "NEXT_DOUBT", 0.01)
    app.conf.result_expires = 0.05
    with Redis(port=server.port) as other:
        other.hset("unacked", "tag", "a message that one of them holds")
        with pytest.raises(TimeoutError, match="as long as results are kept"):
            app.AsyncResult("unknown").get()
        other.delete("unacked")


def in_threads(*asks):
    """Begins each in a thread of its own; gives the list of what came, and the threads."""
    came = []

    def note(ask):
        try:
            came.append(ask())
        except Exception as error:
            came.append(error)

    threads = [threading.Thread(target=note, args=(ask,), daemon=True) for ask in asks]
    for thread in threads:
        thread.start()
    return came, threads


def test_all_who_wait_outlast_a_restart(app, server):
    with Umbel("other", backend=f"redis://127.0.0.1:{server.port}", set_as_current=False) as other:
        group = GroupResult("g", [AsyncResult(str(number), app=app) for number in range(100)])
        first = AsyncResult("0", app=app)
        chained = AsyncResult("1", app=app, parent=AsyncResult("2", app=app))
        then = []
        group.then(then.append)
        came, threads = in_threads(
            *[first.get] * 20,
            *[group.get] * 10,
            lambda: first.get(timeout=patience()),
            lambda: group.get(interval=0.01, on_interval=lambda: None),
            chained.get,
            lambda: asyncio.run(group.aget())[0],
            lambda: asyncio.run(first.aget()),
        )
        server.stop()
        with pytest.raises(BrokerDown):
            other.result_store.fetch(["0"])
        server.start()
        until(lambda: other.result_store.fetch(["0"]) == {})
        other.result_store.store([encode(str(number), "SUCCESS", number) for number in range(100)])
        for thread in threads:
            thread.join(patience())
        assert not [thread for thread in threads if thread.is_alive()]
        assert sorted(came, key=repr) == sorted([*[0] * 23, *[list(range(100))] * 11, 1], key=repr)
        until(lambda: then == [group])


def test_a_store_that_stays_away_is_told(app, server, monkeypatch):
    monkeypatch.setattr(hope, "LONGEST_OUTAGE", 0.1)
    for place, name in (
        (waiter, "PATIENCE"),
        (waiter, "CHECK"),
        (hope, "FIRST_DOUBT"),
        (hope, "AWAY_DOUBT"),
        (result, "FIRST_DOUBT"),
    ):
        monkeypatch.setattr(place, name, 0.05)
    group = GroupResult("g", [AsyncResult("none", app=app)])
    server.stop()
    errors = []
    group.then(lambda _: None, on_error=errors.append)
    came, threads = in_threads(
        group[0].get,
        lambda: group[0].get(timeout=0.01),
        group.get,
        group.join,
        lambda: asyncio.run(group.aget()),
        lambda: asyncio.run(group[0].aget()),
        lambda: group[0].state,
        group.ready,
    )
    for thread in threads:
        thread.join(patience())
    server.start()
    assert [type(each) for each in came] == [BrokerDown] * 8
    until(lambda: [type(each) for each in errors] == [BrokerDown])
