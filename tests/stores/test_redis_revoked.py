"""What revocations leave on the Redis server, and in the memory of those who have heard of them."""

from __future__ import annotations

from umbel.stores.broker import Broker, Conclusion, Revocation
from umbel.stores.redis import mirror
from umbel.stores.url import open_broker
from umbel.testing.given import drain, envelopes
from umbel.testing.waiting import factor, until


def kept(server) -> bytes:
    """The keys of revocations."""
    return server.ask("KEYS", "*revoked*")


def revoke(broker: Broker, *ids: str, seconds: float) -> None:
    broker.revoke([Revocation(id, "SIGTERM") for id in ids], seconds)


def test_no_key_is_left_when_all_are_met(redis_server, redis_url):
    with_all = open_broker(redis_url)
    revoke(with_all, "a", "b", seconds=3600)
    with_all.send(envelopes("a", "b"))
    assert kept(redis_server).startswith(b"*4\r\n")
    with_all.conclude([Conclusion(each) for each in drain(with_all)])
    assert kept(redis_server) == b"*0\r\n"
    with_all.close()


def test_no_key_is_left_when_their_time_has_passed_though_nobody_looks(redis_server, redis_url):
    broker = open_broker(redis_url)
    revoke(broker, "a", seconds=0.05)
    broker.close()
    until(lambda: kept(redis_server) == b"*0\r\n")


def test_those_whose_time_has_passed_go_before_those_that_are_kept_for_longer(redis_server, redis_url):
    broker = open_broker(redis_url)
    revoke(broker, "long", seconds=3600)
    revoke(broker, *map(str, range(100)), seconds=0.05)
    until(lambda: broker.recover() and redis_server.ask("ZCARD", "umbel.revoked") == b":1\r\n")
    broker.close()


def test_who_has_heard_of_many_forgets_them_when_they_are_gone(redis_server, redis_url, monkeypatch):
    monkeypatch.setattr(mirror, "SPARE", 10)
    broker = open_broker(redis_url)
    revoke(broker, *map(str, range(100)), seconds=0.3 * factor())  # they are to be heard of before it has passed
    assert len(broker._hands.revoked._mirror.at(broker.revocations()[0], broker._hands.revoked._behind)) == 100
    until(lambda: broker.recover() and redis_server.ask("ZCARD", "umbel.revoked") == b":0\r\n")
    revoke(broker, "one", seconds=3600)
    broker.send(envelopes("one", "5"))
    assert [each.revoked for each in drain(broker)] == [True, False]
    assert broker._hands.revoked._mirror.at(broker.revocations()[0], broker._hands.revoked._behind) == {"one"}
    broker.close()


def test_a_server_that_was_emptied_is_no_riddle(redis_server, redis_url):
    broker = open_broker(redis_url)
    revoke(broker, "a", "b", seconds=3600)
    broker.send(envelopes("x"))
    drain(broker)
    mark = broker.revocations()[0]
    redis_server.ask("FLUSHALL")
    revoke(broker, "b", seconds=3600)
    broker.send(envelopes("a", "b"))
    assert [each.revoked for each in drain(broker)] == [False, True]
    assert broker.revocations(mark)[1] == [Revocation("b", "SIGTERM")]
    broker.close()
