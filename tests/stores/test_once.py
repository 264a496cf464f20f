"""Numbered messages, when senders and servers die: each is there once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from tests.servers.redis import running

from umbel.errors import BrokerDown
from umbel.stores.broker import Once
from umbel.stores.url import open_broker
from umbel.testing.given import drain, envelope, ids
from umbel.testing.waiting import patience, until

COUNT = 1000

SENDER = """
import sys
from umbel.errors import BrokerDown
from umbel.stores.broker import Once
from umbel.stores.url import open_broker
from umbel.wire.envelope import Envelope
url, start, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
broker = open_broker(url)
ticks = [Once(Envelope(f"{n}", "q", b"{}", b"[]"), f"{n % 10}", start + n) for n in range(count)]
print("READY", flush=True)
sys.stdin.readline()
at = 0
while at < count:
    try:
        broker.send_once(ticks[at : at + 20])
    except BrokerDown:
        continue
    at += 20
    print(at, flush=True)
"""


class Senders:
    """Processes that all send the same numbered messages."""

    def __init__(self, url: str, start: float):
        self.command = [sys.executable, "-c", SENDER, url, str(start), str(COUNT)]
        self.members: list[subprocess.Popen[bytes]] = []

    def hire(self, count: int) -> None:
        new = [subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
        for member in new:
            assert member.stdout.readline() == b"READY\n"
        for member in new:
            member.stdin.write(b"go\n")
            member.stdin.flush()
        self.members += new

    def kill(self, *, behind: int) -> None:
        """Kill one that has sent so many."""
        member = self.members.pop()
        while int(member.stdout.readline() or COUNT) < behind:
            pass
        member.kill()
        member.communicate()

    def wait(self) -> None:
        for member in self.members:
            member.communicate(timeout=patience())
            assert member.returncode == 0


def assert_each_once(broker) -> None:
    """No number of a stream is missing, doubled or out of its order."""
    found = [int(id) for id in ids(drain(broker, limit=COUNT))]
    assert Counter(found) == Counter(range(COUNT))
    for stream in range(10):
        mine = [number for number in found if number % 10 == stream]
        assert mine == sorted(mine)


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/queue.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")


def test_of_processes_that_send_the_same_and_are_killed_each_message_is_sent_once(url):
    broker, start = open_broker(url), time.time()
    senders = Senders(url, start)
    senders.hire(3)
    senders.kill(behind=200)
    senders.kill(behind=500)
    senders.wait()
    assert_each_once(broker)
    broker.close()


def test_a_server_that_is_killed_remembers_what_was_sent(tmp_path):
    with running(tmp_path / "server", "--appendonly", "yes", "--appendfsync", "always") as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        senders = Senders(url, time.time())
        senders.hire(2)
        assert int(senders.members[0].stdout.readline()) == 20
        server.stop(kill=True)
        server.start()
        senders.wait()
        broker = open_broker(url)
        assert_each_once(broker)
        broker.close()


def test_after_a_lost_reply_the_same_may_be_sent_again(tmp_path):
    with running(tmp_path / "server") as server:
        broker = open_broker(f"redis://127.0.0.1:{server.port}/0", options={"socket_timeout": "0.5"})
        broker.send_once([Once(envelope("first"), "a", time.time())])
        ticks = [Once(envelope(f"{number}"), "a", time.time() + number) for number in range(1, 10)]
        server.send(signal.SIGSTOP)
        with pytest.raises(BrokerDown):
            broker.send_once(ticks)
        server.send(signal.SIGCONT)
        until(lambda: broker.depth(["q"])["q"].ready == 10)
        assert broker.send_once(ticks) == [False] * 9
        assert ids(drain(broker)) == ["first", *(each.envelope.id for each in ticks)]
        broker.close()


@pytest.mark.parametrize("module", ["memory.room", "sqlite.once", "redis.broker"])
def test_streams_are_forgotten_in_time(module, request, tmp_path, monkeypatch):
    monkeypatch.setattr(f"umbel.stores.{module}.REMEMBERED", 0.05)
    scheme = module.partition(".")[0]
    url = {"memory": "memory://forgetful", "sqlite": f"sqlite:///{tmp_path}/queue.db"}.get(scheme)
    broker, now = open_broker(url or request.getfixturevalue("redis_url")), time.time()
    assert broker.send_once([Once(envelope("a"), "old", now), Once(envelope("b"), "new", now + 60)]) == [True, True]
    until(lambda: time.time() > now + 0.06)
    assert broker.send_once([Once(envelope("c"), "third", now)]) == [True]  # whoever sends sweeps
    until(lambda: broker.send_once([Once(envelope("d"), "old", now)]) == [True])
    assert broker.send_once([Once(envelope("e"), "new", now + 60)]) == [False]
    broker.purge("q")
    broker.close()


def test_a_list_that_is_none_lets_the_number_be_sent_later(redis_server, redis_url):
    from umbel.errors import BrokerRefused

    broker, now = open_broker(redis_url), time.time()
    redis_server.ask("SET", "q", "something else")
    with pytest.raises(BrokerRefused, match="no queue"):
        broker.send_once([Once(envelope("a"), "a", now)])
    redis_server.ask("DEL", "q")
    assert broker.send_once([Once(envelope("a"), "a", now)]) == [True]
    broker.close()
