"""Waiting on many queues of Redis: few connections, few commands, and nothing that waits for ever, whoever dies."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Callable

import pytest

from umbel import clock
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.redis import broker as brokers
from umbel.stores.redis import calls as summoned
from umbel.stores.redis import lookout, summons
from umbel.stores.redis.broker import RedisBroker
from umbel.stores.url import open_broker
from umbel.testing.carrying import Carrying
from umbel.testing.given import LEASE, drain, envelope, envelopes, ids, recovered
from umbel.testing.holding import Holding
from umbel.testing.waiting import NEVER, patience, until

MANY = [f"q{number}" for number in range(50)]


class TestRedisBrokerThatIsAlwaysCalled(Carrying, Holding):
    """What a broker promises, also to those who wait on many queues: here, on one."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        monkeypatch.setattr(brokers, "FEW", 0)

    @pytest.fixture
    def url(self, redis_url):
        return redis_url


@pytest.fixture
def open_one(redis_url):
    opened: list[RedisBroker] = []

    def open_one(**options) -> RedisBroker:
        broker = open_broker(redis_url, **options)
        assert isinstance(broker, RedisBroker)
        opened.append(broker)
        return broker

    yield open_one
    for broker in opened:
        broker.close()


class Worker:
    """A thread that takes what it is called to, and notes it."""

    def __init__(self, broker: Broker, queues=MANY, limit: int = 10):
        self.found: list[Delivery] = []
        self._stopped = False
        self._broker, self._queues, self._limit = broker, queues, limit
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self._stopped:
            held = self._broker.reserve(self._queues, self._limit, 1.0)
            self._broker.conclude([Conclusion(each) for each in held])
            self.found += held

    def end(self):
        self._stopped = True
        self.thread.join(patience())
        assert not self.thread.is_alive()


@pytest.fixture
def work(open_one):
    """Starts workers that end with the test."""
    workers: list[Worker] = []

    def start(count: int = 1, **options) -> list[Worker]:
        workers.extend(Worker(open_one(), **options) for _ in range(count))
        return workers[-count:]

    yield start
    for worker in workers:
        worker.end()


def told(server, section: str, name: str) -> int:
    return int(re.search(rf"{name}:(\d+)".encode(), server.ask("INFO", section))[1])


def calls(server, command: str) -> int:
    found = re.search(rf"cmdstat_{command}:calls=(\d+)".encode(), server.ask("INFO", "commandstats"))
    return int(found[1]) if found else 0


def waits(server, count: int) -> Callable[[], bool]:
    """A fact: so many wait in the server, and the server tells somebody of changes."""
    return lambda: told(server, "clients", "blocked_clients") == count and told(server, "clients", "tracking_clients") > 0


def ready(server, open_one, number: int = 1):
    """Those who wait are settled: what is sent now is heard of by a call."""
    until(waits(server, number))


def test_a_worker_on_fifty_queues_has_a_handful_of_connections(redis_server, open_one, work):
    before = told(redis_server, "clients", "connected_clients")
    (worker,) = work()
    ready(redis_server, open_one)
    sender = open_one()
    for queue in MANY:
        sender.send([envelope("a", queue=queue)])
    until(lambda: len(worker.found) == len(MANY))
    assert told(redis_server, "clients", "connected_clients") - before - 1 <= 8


def test_what_one_message_costs_does_not_grow_with_the_queues(redis_server, open_one, work):
    costs = []
    for count in (5, 100):
        queues = [f"of{count}.{number}" for number in range(count)]
        (worker,) = work(queues=queues)
        until(lambda: told(redis_server, "clients", "blocked_clients") >= 1 + len(costs))
        sender = open_one()
        sender.send([envelope("first", queue=queues[0])])
        until(lambda worker=worker: len(worker.found) == 1)
        before = told(redis_server, "stats", "total_commands_processed")
        for number in range(20):
            sender.send([envelope(str(number), queue=queues[-1 - number % 5])])
            until(lambda worker=worker, number=number: len(worker.found) == number + 2)
        costs.append((told(redis_server, "stats", "total_commands_processed") - before) / 20)
    print(costs)
    assert costs[1] < 2 * costs[0] + 20


def test_one_message_wakes_three_at_most(redis_server, open_one, work, monkeypatch):
    monkeypatch.setattr(summons, "SHORTEST", NEVER)
    monkeypatch.setattr(summons, "LONGEST", NEVER)
    monkeypatch.setattr(summoned, "EVERYTHING", NEVER)
    found: list[Delivery] = []

    def wait(broker: Broker) -> None:
        found.extend(broker.reserve(MANY, 10, NEVER))

    fleet = [open_one() for _ in range(20)]
    threads = [threading.Thread(target=wait, args=(broker,)) for broker in fleet]
    for thread in threads:
        thread.start()
    until(waits(redis_server, 20))
    sender = open_one()
    redis_server.ask("CONFIG", "RESETSTAT")
    for number in range(10):
        sender.send([envelope(str(number), queue=MANY[number])])
        until(lambda number=number: len(found) == number + 1)
    assert calls(redis_server, "bzpopmin") <= 2 * 10  # those woken in vain waited again
    assert sorted(ids(found)) == sorted(map(str, range(10)))
    for broker in fleet:
        broker.close()
    for thread in threads:
        thread.join(patience())


@pytest.mark.parametrize("kind", [{"priority": 9}, {"properties": {"priority": 7}}, {}])
def test_every_kind_of_message_is_called_to(redis_server, open_one, work, kind):
    (worker,) = work()
    ready(redis_server, open_one)
    open_one().send([envelope("a", queue="q7", **kind)])
    until(lambda: worker.found)


def test_what_falls_due_is_called_to_at_its_time(redis_server, open_one, work):
    (worker,) = work()
    ready(redis_server, open_one)
    sender, now = open_one(), clock.now()
    sender.send([envelope("later", queue="q7", due=now + NEVER), envelope("soon", queue="q7", due=now + 0.3)])
    sender.send([envelope("sooner", queue="q8", due=now + 0.1)])
    until(lambda: len(worker.found) == 2)
    assert ids(worker.found) == ["sooner", "soon"]
    assert all(each.when >= each.envelope.due for each in worker.found)


def test_many_messages_at_once_call_all_who_wait(redis_server, open_one):
    """Each who is called takes ten and calls the next: nobody waits for the others to come back."""
    fleet, found = [open_one() for _ in range(8)], list[list[Delivery]]()
    threads = [threading.Thread(target=lambda broker=broker: found.append(broker.reserve(MANY, 10, NEVER))) for broker in fleet]
    for thread in threads:
        thread.start()
    until(waits(redis_server, 8))
    open_one().send(envelopes(*map(str, range(80)), queue="q3"))
    for thread in threads:
        thread.join(patience())
    assert sorted(map(len, found)) == [10] * 8


def test_a_full_queue_does_not_starve_the_others(redis_server, open_one, work):
    sender = open_one()
    sender.send(envelopes(*map(str, range(20_000)), queue="q0"))
    (worker,) = work(limit=1)
    until(lambda: len(worker.found) > 20)
    sender.send([envelope("a", queue=queue) for queue in MANY[1:11]])
    until(lambda: sum(each.queue != "q0" for each in worker.found) == 10)
    assert len(worker.found) < 15_000


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_when_those_who_look_out_are_gone_others_do(redis_server, open_one, work, blow):
    lookouts = []
    for _ in range(2):
        pid = os.fork()
        if not pid:
            with contextlib.suppress(BaseException):
                open_one().reserve(MANY, 1, NEVER)
            os._exit(0)
        lookouts.append(pid)
    until(waits(redis_server, 2))
    until(lambda: redis_server.ask("EXISTS", "umbel.lookout.1", "umbel.lookout.2") == b":2\r\n")
    posts = [redis_server.ask("GET", f"umbel.lookout.{number}") for number in (1, 2)]
    (worker,) = work()
    until(waits(redis_server, 3))
    assert [redis_server.ask("GET", f"umbel.lookout.{number}") for number in (1, 2)] == posts
    for pid in lookouts:
        os.kill(pid, blow)
    try:
        sender = open_one()
        for number in range(20):  # a stopped one still waits, and gets its share of the calls
            sender.send([envelope(str(number), queue=f"q{number}")])
        until(lambda: len(worker.found) == 20 or (blow == signal.SIGSTOP and worker.found))
        until(lambda: redis_server.ask("GET", "umbel.lookout.1") not in (*posts, b"$-1\r\n"))
        seen = len(worker.found)
        sender.send([envelope("last", queue="q49")])
        until(lambda: len(worker.found) > seen)
    finally:
        for pid in lookouts:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    until(lambda: "last" in ids(worker.found) and len(worker.found) == 21)


def test_a_call_that_goes_to_one_that_dies_is_made_again(redis_server, open_one, work):
    (worker,) = work()
    ready(redis_server, open_one)
    sender, thief = open_one(), open_one()
    for number in range(30):
        sender.send([envelope(str(number), queue="q5")])
        thief._link.ask("DEL", "umbel.call.q5")  # as if it had been called
    until(lambda: len(worker.found) == 30)


def test_a_lookout_without_connection_whose_server_is_emptied_knows_who_waits(redis_server, open_one, work, monkeypatch):
    monkeypatch.setattr(lookout, "AGAIN", 1.0)  # time to empty it
    (worker,) = work()
    ready(redis_server, open_one)
    redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
    redis_server.ask("FLUSHALL")
    open_one().send([envelope("after", queue="q2")])
    until(lambda: "after" in ids(worker.found))


def test_lookouts_survive_their_connections_and_an_emptied_server(redis_server, open_one, work):
    (worker,) = work()
    ready(redis_server, open_one)
    sender = open_one()
    for number in range(5):
        redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        sender.send([envelope(f"{number}", queue="q1")])
        until(lambda number=number: str(number) in ids(worker.found))
    redis_server.ask("FLUSHALL")
    sender.send([envelope("after", queue="q2")])
    until(lambda: "after" in ids(worker.found))


def test_an_ear_that_hears_no_more_is_noticed(redis_server, open_one, work, monkeypatch):
    monkeypatch.setattr(lookout, "POST", 0.3)
    (worker,) = work()
    ready(redis_server, open_one)
    out = worker._broker._calls.lookout
    assert out is not None
    out._heard = float("-inf")
    until(lambda: out._heard > 0)
    open_one().send([envelope("a", queue="q1")])
    until(lambda: worker.found)


def test_a_server_that_cannot_tell_of_changes_is_asked(redis_server, open_one, work, monkeypatch):
    monkeypatch.setattr(lookout, "TRACK", "TRACKING-IT-HAS-NOT")
    (worker,) = work()
    until(lambda: told(redis_server, "clients", "blocked_clients") == 1)
    open_one().send([envelope("a", queue="q9", priority=9), envelope("b", queue="q8", due=clock.now() + 0.05)])
    until(lambda: len(worker.found) == 2)


def test_who_may_not_be_called_waits_on_each_queue(redis_server, redis_url, caplog):
    redis_server.ask("ACL", "SETUSER", "old", "on", ">secret", "~*", "&*", "+@all", "-bzpopmin")
    broker = open_broker(redis_url.replace("redis://", "redis://old:secret@"))
    broker.send([envelope("a", queue="q7")])
    assert ids(broker.reserve(MANY[:10], 1, 0.05)) == ["a"]
    thread = threading.Thread(target=lambda: broker.reserve(MANY[:10], 1, NEVER))
    thread.start()
    until(lambda: told(redis_server, "clients", "blocked_clients") == 10)
    assert "10 queues take as many connections" in caplog.text
    broker.close()
    thread.join(patience())
    redis_server.ask("ACL", "DELUSER", "old")


def test_new_queues_are_looked_out_for_at_once(redis_server, open_one, work):
    work()
    ready(redis_server, open_one)
    (worker,) = work(queues=[f"new{number}" for number in range(10)])
    until(waits(redis_server, 2))
    open_one().send([envelope("a", queue="new7")])
    until(lambda: worker.found)


def test_closing_ends_a_wait_at_once_and_keeps_no_post(redis_server, open_one):
    broker, found = open_one(), list[list[Delivery]]()
    thread = threading.Thread(target=lambda: found.append(broker.reserve(MANY, 1, NEVER)))
    thread.start()
    ready(redis_server, open_one)
    broker.close()
    thread.join(patience())
    assert found == [[]]
    until(lambda: told(redis_server, "clients", "blocked_clients") == 0)
    until(lambda: not [each for each in threading.enumerate() if each.name == "umbel-lookout"])
    until(lambda: b"lookout" not in redis_server.ask("KEYS", "*"))


def test_what_a_dead_worker_of_many_queues_held_comes_back(redis_server, open_one, work):
    dying, sender = open_one(lease=LEASE), open_one()
    sender.send(envelopes("a", queue="q3"))
    assert ids(dying.reserve(MANY, 1, 5)) == ["a"]
    assert recovered(sender).returned == 1
    assert ids(drain(sender, "q3")) == ["a"]
