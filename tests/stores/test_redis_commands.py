"""What umbel asks of a server: commands that Redis 6.2 has, and a user that may do no more than docs/how-to/redis.md says."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest
from tests.servers.redis import free_port, running

import umbel.stores.redis
from umbel import clock
from umbel.errors import BrokerError, BrokerRefused
from umbel.stores.broker import Conclusion
from umbel.stores.channel import Note
from umbel.stores.url import open_backend, open_broker, open_channel
from umbel.testing.given import drain, envelope, envelopes, ids
from umbel.testing.joining import FIRE, part
from umbel.testing.waiting import patience, until
from umbel.wire.result import Result, encode

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "redis.md"

SINCE = {
    "1.0": "auth decr del exists expire get info keys mget ping rename rpop select set smembers srem ttl type zadd zcard zscore",
    "1.2": "rpoplpush zcount zincrby zrange zrangebyscore zrank zrem",
    "2.0": "brpop psubscribe "
    "hdel hexists hget hgetall hincrby hkeys hlen hmget hset hsetnx publish subscribe unsubscribe zremrangebyrank",
    "2.2": "linsert persist zremrangebyscore zrevrangebyscore",
    "2.4": "getrange",
    "2.6": "client|setname eval evalsha pexpire pttl time",
    "2.8": "scan zscan",
    "4.0": "unlink",
    "5.0": "client|id client|unblock xadd xdel xlen xrange",
    "6.0": "client|tracking",
    "6.2": "blmove lmove",
    "ever": "bzpopmin exec incr incrby multi lindex llen lpush lrange lrem lset rpush sadd sismember",
}
"""Of each command, the version of Redis that brought it; `client|tracking` is the only one that umbel can do without."""
KNOWN = {command for commands in SINCE.values() for command in commands.split()}


def in_scripts() -> set[str]:
    """The commands that the scripts call."""
    files = Path(umbel.stores.redis.__path__[0]).glob("*.lua")
    return {name.lower() for file in files for name in re.findall(r"redis\.call\('(\w+)'", file.read_text())}


def acl() -> list[str]:
    """The rules of the user that the documentation shows."""
    (line,) = re.findall(r"^user umbel (.*)$", DOCS.read_text(), re.MULTILINE)
    return line.split()


def test_scripts_call_nothing_that_redis_6_2_does_not_have():
    assert in_scripts() <= KNOWN


def test_the_documented_user_may_call_what_the_scripts_call():
    assert in_scripts() <= {rule[1:] for rule in acl() if rule.startswith("+")}
    assert {rule[1:] for rule in acl() if rule.startswith("+")} <= KNOWN


def test_the_documented_user_needs_no_more(tmp_path):
    with running(tmp_path) as server:
        assert server.ask("ACL", "SETUSER", "umbel", *acl()) == b"+OK\r\n"
        url = f"redis://umbel:password@127.0.0.1:{server.port}/3"
        broker, backend = open_broker(url, lease=0.3), open_backend(url, expires=60)
        other, results = open_broker(url), open_backend(url, expires=60)
        assert broker.keeps(backend)
        urgent, late = envelope("urgent", priority=9), envelope("late", due=clock.now() + 0.1)
        other.send([*envelopes("a", "b", "c", "dead"), urgent, late])
        held = broker.reserve(["q"], 5, 1)
        assert ids(held) == ["urgent", "a", "b", "c", "dead"]
        assert broker.started(held[:2]) == broker.release(held[1:2], parked=True) == []
        done = Conclusion(held[0], [Result("urgent", "SUCCESS", b"1")], envelopes("after", queue="other"))
        assert broker.conclude([done, Conclusion(held[4], buried="ill")]) == []
        assert set(results.wait(["urgent"], patience())) == {"urgent"}
        assert results.wait(["never"], 0.05) == {}
        results.store([encode("x", "SUCCESS", 1)])
        results.forget(["x"])
        assert broker.doubts() == []
        assert broker.reserve([f"nothing{number}" for number in range(10)], 1, 0.05) == []  # waits to be called
        results.expect("chord", 1)
        assert results.arrive([part(0, more=1)]) == []
        assert results.arrive([part(0, 1, more=1), part(1)]) == [FIRE]
        assert results.parts("chord")
        results.done("chord")
        results.save_group("group", b"{}", 60)
        assert results.group("group") == b"{}"
        results.forget_group("group")
        assert ids(broker.reserve(["q", "other"], 1, 2))
        assert broker.reserve(["nothing"], 1, 0.05) == []  # waits, and asks to be told of changes
        until(lambda: other.recover().returned)
        assert not broker.renew(30)
        (letter,) = other.buried()
        assert other.revive([letter.key]) == 1
        assert set(other.queues()) >= {"q"}
        assert other.depth(["q"])["q"].ready
        drain(other)
        assert other.discard(["1-1"]) == other.purge("nothing") == 0
        assert other.upcoming(["q"], 1) == []
        channel = open_channel(url)
        with channel.subscribe(["news", "events/worker.*"], name="w@h.news") as listener, channel.box() as box:
            channel.publish([Note("news", "a.key"), Note("news")])
            assert listener.receive(patience())
            channel.reply(box.exchange, box.address, [Note("")])
            assert box.receive(patience())
        for store in (broker, backend, other, results, channel):
            store.close()
        assert server.ask("ACL", "LOG") == b"*0\r\n"


def test_a_user_that_may_do_less_is_told_of_it(tmp_path):
    with running(tmp_path) as server:
        server.ask("ACL", "SETUSER", "umbel", *acl(), "-lpush")
        broker = open_broker(f"redis://umbel:password@127.0.0.1:{server.port}/0")
        with pytest.raises(BrokerRefused, match=r"does not allow this user what umbel needs \(.*lpush"):
            broker.send([envelope("a")])
        broker.close()


def test_a_cluster_is_refused_in_one_line_that_says_what_to_do(tmp_path):
    port = free_port()  # nodes talk to each other on the port that is 10,000 higher
    with running(tmp_path, "--cluster-enabled", "yes", port=port) as server:
        server.ask("CLUSTER", "ADDSLOTS", *map(str, range(16384)))
        until(lambda: b"cluster_state:ok" in server.ask("CLUSTER", "INFO"))
        broker = open_broker(f"redis://127.0.0.1:{server.port}/0")

        def told() -> str:
            try:
                broker.reserve(["q", "other"], 1, 0.05)
            except BrokerError as error:
                return str(error)
            return ""

        assert "belongs to a Redis Cluster, which umbel does not use: take a server by itself" in told()
        broker.close()


@pytest.mark.parametrize("code", ["MOVED 866 127.0.0.1:7001", "ASK 866 127.0.0.1:7001", "CROSSSLOT Keys in request don't hash"])
def test_what_a_node_of_a_cluster_says_is_refused(tmp_path, code):
    with socket.create_server(("127.0.0.1", free_port())) as door:

        def answer() -> None:
            client, _ = door.accept()
            with client:
                client.recv(1 << 16)
                client.sendall(b"-%b\r\n" % code.encode() * 3)
                while client.recv(1 << 16):  # all that it says, so that what it is told is not reset away
                    pass

        threading.Thread(target=answer, daemon=True).start()
        broker = open_broker(f"redis://127.0.0.1:{door.getsockname()[1]}/0")
        with pytest.raises(BrokerRefused, match="belongs to a Redis Cluster"):
            broker.send([envelope("a")])
        broker.close()
