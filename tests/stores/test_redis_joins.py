"""Chords in Redis that others have begun, or have spoilt."""

from __future__ import annotations

import pytest

from umbel.errors import BrokerRefused
from umbel.stores.broker import Broker, Conclusion
from umbel.stores.join import Parts
from umbel.stores.redis.backend import RedisBackend
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import drain, envelopes
from umbel.testing.joining import FIRE, document, part


@pytest.fixture
def broker(redis_url):
    broker = open_broker(redis_url)
    yield broker
    broker.close()


@pytest.fixture
def backend(redis_url, broker: Broker):
    backend = open_backend(redis_url, expires=60)
    assert isinstance(backend, RedisBackend)
    assert broker.keeps(backend)
    yield backend
    backend.close()


def key(end: str) -> str:
    return f"celery-taskset-meta-chord{end}"


def test_the_keys_are_celerys(backend):
    backend.expect("chord", 3)
    backend.arrive([part(0), part(1, more=2)])
    ask = backend._link.ask
    assert ask("ZRANGE", key(".j"), 0, -1, "WITHSCORES") == [document(0), b"0", document(1), b"1"]
    assert sorted(ask("SMEMBERS", key(".d"))) == [b"part0:0", b"part1:1"]
    assert ask("MGET", key(".s"), key(".t"), key(".c")) == [b"3", b"2", None]
    months = 300 * 86_400_000
    assert all(months < ask("PTTL", key(end)) for end in (".j", ".d", ".s", ".t")), "parts may wait"
    backend.arrive([part(index) for index in range(5)])
    assert ask("GET", key(".c")) == b"umbel part4:4"
    assert months < ask("PTTL", key(".c"))
    backend.done("chord")
    assert 0 < ask("PTTL", key(".c")) <= 60_000
    assert ask("KEYS", "*") == [key(".c").encode()]
    assert ask("GET", key(".c")) == b"done"
    backend.save_group("chord", b"made", 60)
    assert ask("GET", key("")) == b"made"


def test_a_part_that_an_older_celery_has_noted_counts_once(backend):
    backend.expect("chord", 2)
    backend._link.ask("ZADD", key(".j"), 0, document(0, 1))
    assert backend.arrive([part(0, 2)]) == []
    assert backend.parts("chord") == Parts(2, [document(0, 2)])
    assert backend.arrive([part(1)]) == [FIRE]


def test_a_chord_without_order_is_counted_as_celery_does(backend):
    backend.expect("chord", 3)
    backend._link.ask("RPUSH", key(".j"), document(2))
    backend._link.ask("SADD", key(".d"), "part2:2")
    assert backend.arrive([part(0, 1)]) == backend.arrive([part(0, 2), part(2, 5)]) == []
    assert backend.arrive([part(1)]) == [FIRE]
    assert backend.parts("chord") == Parts(3, [document(2, 5), document(0, 2), document(1)])


def test_a_chord_without_order_may_be_begun_here(redis_url):
    backend = open_backend(redis_url, expires=60, options={"result_chord_ordered": False})
    backend.expect("chord", 2)
    assert backend.arrive([part(1), part(1, 3)]) == []
    assert backend.arrive([part(0)]) == [FIRE]
    assert backend._link.ask("LRANGE", key(".j"), 0, -1) == [document(1, 3), document(0)]
    backend.close()


def test_what_a_worker_of_celerys_fires_is_not_ours_to_fire(backend):
    backend.expect("chord", 2)
    assert backend.arrive([part(0)]) == []
    ask = backend._link.ask
    ask("ZADD", key(".j"), 1, document(1))
    ask("SET", key(".c"), "0123456789abcdef", "PX", 60_000)
    assert backend.parts("chord") is None
    (late,) = backend.arrive([part(0)])
    assert late.id == FIRE.id
    assert late.due is not None
    ask("SET", key(".c"), "done")
    assert backend.arrive([part(0)]) == []
    assert backend.parts("chord") is None


@pytest.mark.parametrize("end", [".j", ".d", ".t"])
def test_another_programs_key_is_told_and_nothing_of_the_step_is_done(broker, backend, end):
    backend.expect("chord", 1)
    backend.expect("other", 1)
    backend._link.ask("HSET", key(end), "a", "b")
    broker.send(envelopes("a"))
    (held,) = broker.reserve(["q"], 1, 1)
    both = Conclusion(held, arrivals=[part(0, chord="other"), part(0, more=1)])
    with pytest.raises(BrokerRefused):
        broker.conclude([both])
    assert drain(broker, FIRE.queue) == []
    backend._link.ask("DEL", key(end))
    assert broker.conclude([both]) == []
    assert [each.envelope for each in drain(broker, FIRE.queue)] == [FIRE]


def test_a_part_that_finds_no_size_or_fewer_parts_than_came_has_somebody_look_later(redis_url):
    broker, backend = open_broker(redis_url), open_backend(redis_url, expires=60)
    assert broker.keeps(backend)
    for chord, key in (("sizeless", "s"), ("partless", "j")):
        backend.expect(chord, 3)
        broker.send(envelopes(*"abc"))
        a, b, c = broker.reserve(["q"], 3, 1)
        broker.conclude([Conclusion(a, arrivals=[part(0, chord=chord)])])
        broker._link.ask("DEL", f"celery-taskset-meta-{chord}.{key}")
        assert broker.conclude([Conclusion(b, arrivals=[part(1, chord=chord)])]) == []
        assert broker.conclude([Conclusion(c, arrivals=[part(2, chord=chord)])]) == []
        found = backend.parts(chord)
        assert found is not None
        assert (found.size is None, found.is_damaged) == ((True, False) if key == "s" else (False, True))
        assert not found.is_whole
        assert not backend.ended(chord)
    depth = broker.depth([FIRE.queue])[FIRE.queue]
    assert (depth.ready, depth.later) == (0, 2)
    broker.close()
    backend.close()
