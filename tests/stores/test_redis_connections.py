"""How many connections there are to Redis, what they are called, and what the server is told about its settings."""

from __future__ import annotations

import re
import threading

import pytest
from tests.servers.redis import running

from umbel.stores.redis import link
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import envelope
from umbel.testing.waiting import patience, until


@pytest.fixture
def broker(redis_url):
    broker = open_broker(redis_url)
    yield broker
    broker.close()


def opened(server) -> int:
    """How many connections were ever made."""
    return int(re.search(rb"total_connections_received:(\d+)", server.ask("INFO", "stats"))[1])


def from_threads(count: int, work) -> None:
    """Do it at the same time in so many threads."""
    together = threading.Barrier(count)
    threads = [threading.Thread(target=lambda: (together.wait(), work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience())
    assert not any(thread.is_alive() for thread in threads)


def test_each_of_many_sending_threads_has_a_connection_and_keeps_it(redis_server, broker):
    def send() -> None:
        for _ in range(50):
            broker.send([envelope("a")])

    before = opened(redis_server)
    for _ in range(2):
        from_threads(32, send)
    assert opened(redis_server) - before <= 32 + 1  # the last to ask how many


def test_connections_that_nobody_needs_any_more_are_closed(broker, monkeypatch):
    together = threading.Barrier(20)

    def hold() -> None:
        with broker._link._borrowed():
            together.wait()

    from_threads(20, hold)
    assert len(broker._link._idle) == 20
    monkeypatch.setattr(link, "UNUSED", -1.0)
    for _ in range(20):
        broker.send([envelope("a")])
    assert len(broker._link._idle) == link.KEPT


def test_connections_bear_a_name(redis_server, broker, redis_url):
    backend = open_backend(redis_url, expires=60)
    broker.send([envelope("a")])
    threads = [
        threading.Thread(target=broker.reserve, args=(["empty"], 1, patience())),
        threading.Thread(target=backend.wait, args=(["x"], patience())),
    ]

    def names() -> list[bytes]:
        """Of all that is connected, once both wait."""
        told = redis_server.ask("CLIENT", "LIST")
        found: list[bytes] = re.findall(rb" name=(\S*)", told)
        return found if {b"cmd=blmove", b"cmd=subscribe"} <= set(re.findall(rb"cmd=\w+", told)) else []

    def have_names() -> bool:
        given = names()
        return len([name for name in given if re.match(rb"umbel:.+:\d+$", name)]) == len(given) - 1 >= 4  # all but who asks

    for thread in threads:
        thread.start()
    until(have_names, saying=names)  # one that has just been opened gets its name with its first words
    broker.close()
    backend.close()
    for thread in threads:
        thread.join(patience())


@pytest.mark.parametrize("rules", ["-client|setname", "-client", "-info"])
def test_a_user_that_may_not_name_connections_or_look_at_the_server_works_all_the_same(tmp_path, rules):
    with running(tmp_path) as server:
        server.ask("ACL", "SETUSER", "umbel", "on", ">password", "~*", "&*", "+@all", rules)
        broker = open_broker(f"redis://umbel:password@127.0.0.1:{server.port}/0")
        broker.send([envelope("a")])
        assert broker.reserve(["q"], 1, 0)
        assert broker.doubts() == []
        broker.close()


def test_a_server_that_may_throw_messages_away_is_told_of(tmp_path):
    with running(tmp_path, "--maxmemory-policy", "allkeys-lru") as server:
        broker = open_broker(f"redis://127.0.0.1:{server.port}/0")
        (doubt,) = broker.doubts()
        assert "allkeys-lru; set it to noeviction" in doubt
        server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert broker.doubts() == []
        broker.close()
