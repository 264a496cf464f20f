"""Waiting on Redis: without asking again and again, awake at once, and nothing lost whoever dies."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest

from umbel import clock
from umbel.stores.broker import Conclusion
from umbel.stores.redis import watch
from umbel.stores.url import open_broker
from umbel.testing.given import LEASE, drain, envelope, envelopes, ids, recovered
from umbel.testing.waiting import NEVER, pace, patience, until


@pytest.fixture
def open_one(redis_url):
    opened = []

    def open_one(**options):
        opened.append(open_broker(redis_url, **options))
        return opened[-1]

    yield open_one
    for broker in opened:
        broker.close()


@pytest.fixture
def endless(monkeypatch):
    """Waits end by what comes, not by themselves: on a slow machine those that do would be counted, too."""
    monkeypatch.setattr(watch, "LONGEST", NEVER)
    monkeypatch.setattr(watch, "FRESH", NEVER)
    monkeypatch.setattr("umbel.stores.redis.watches.INTAKE", 2 * NEVER)


def calls(server) -> dict[str, int]:
    """How often each command was called."""
    text = server.ask("INFO", "commandstats").decode()
    return {name: int(count) for name, count in re.findall(r"cmdstat_([\w|]+):calls=(\d+)", text)}


def blocked(server) -> int:
    """How many clients wait in the server."""
    return int(re.search(rb"blocked_clients:(\d+)", server.ask("INFO", "clients"))[1])


class Waiting:
    """A thread that waits for one message, and when it came."""

    def __init__(self, broker, *queues: str, wait: float = 30.0):
        self.found = []
        self.when = 0.0
        self.thread = threading.Thread(target=self._wait, args=(broker, queues or ["q"], wait))
        self.thread.start()

    def _wait(self, broker, queues, wait):
        self.found = broker.reserve(list(queues), 10, wait)
        self.when = pace()

    def end(self) -> list[str]:
        self.thread.join(patience())
        assert not self.thread.is_alive()
        return ids(self.found)


@pytest.mark.parametrize("due", [None, 0.01, 60])
def test_an_idle_worker_sends_hardly_anything_but_its_waits(redis_server, open_one, monkeypatch, due):
    for name in ("watches.INTAKE", "watch.FRESH"):
        monkeypatch.setattr(f"umbel.stores.redis.{name}", NEVER)  # else a machine that is slow enough needs more looks
    until(lambda: redis_server.ask("CLIENT", "LIST").count(b"id=") == 1)  # those of tests before are gone, too
    broker = open_one()
    redis_server.ask("CONFIG", "RESETSTAT")
    if due:
        broker.send([envelope("a", due=clock.now() + due)])
        until(lambda: due > 1 or broker.reserve(["q"], 1, 0))
    until(lambda: not broker.reserve(["q", "other"], 1, 0.05) and "blmove" in calls(redis_server))
    redis_server.ask("CONFIG", "RESETSTAT")
    for _ in range(5):
        assert broker.reserve(["q", "other"], 1, 0.5) == []
    told = {name: count for name, count in calls(redis_server).items() if name not in ("config|resetstat", "info")}
    waits = told.pop("blmove")
    assert waits <= 12
    assert max(told.pop(name, 0) for name in ("evalsha", "rpop")) <= waits + 2  # the booking sent along with each wait
    assert sum(told.values()) <= 2, told


def test_messages_that_come_one_by_one_are_not_looked_for_in_between(redis_server, open_one, monkeypatch):
    monkeypatch.setattr("umbel.stores.redis.watches.INTAKE", 600.0)  # until then nobody has to look
    broker, sender = open_one(), open_one()

    def one(*names: str) -> list[str]:
        waiting = Waiting(broker)
        until(lambda: blocked(redis_server) == 1)
        sender.send(envelopes(*names))
        return waiting.end()

    assert one("a") == ["a"]
    redis_server.ask("CONFIG", "RESETSTAT")
    assert [one(name) for name in "bcd"] == [["b"], ["c"], ["d"]]
    told = calls(redis_server)
    assert told["evalsha"] <= told["blmove"] + 3, "the bookings, and what was sent"
    assert one("e", "f", "g") == ["e"]
    assert ids(broker.reserve(["q"], 10, 30.0)) == ["f", "g"], "that there are more is told"


def test_what_waits_book_beyond_the_limit_goes_back(redis_server, open_one):
    sender, broker = open_one(), open_one()
    sender.send([envelope("a"), envelope("b", queue="other")])
    for delivery in sender.reserve(["q", "other"], 2, 0):
        sender.conclude([Conclusion(delivery)])
    found = []
    thread = threading.Thread(target=lambda: found.extend(broker.reserve(["q", "other"], 1, 30)))
    thread.start()
    until(lambda: blocked(redis_server) == 2)
    redis_server.ask("CLIENT", "PAUSE", "200", "WRITE")  # so that both come before either wait has been read
    for queue in ("q", "other"):
        threading.Thread(target=sender.send, args=([envelope(queue, queue=queue)],)).start()
    thread.join(patience())
    assert len(found) == 1
    until(lambda: [broker.depth([queue])[queue].ready for queue in ("q", "other")].count(1) == 1)
    assert len(broker.reserve(["q", "other"], 10, 5)) == 1


def test_a_wait_outlives_a_flush_of_the_scripts(redis_server, open_one):
    sender, broker = open_one(), open_one()
    waiting = Waiting(broker)
    until(lambda: blocked(redis_server) == 1)
    redis_server.ask("SCRIPT", "FLUSH")
    sender.send([envelope("a")])
    assert waiting.end() == ["a"]
    assert broker.conclude([Conclusion(waiting.found[0])]) == []


@pytest.mark.usefixtures("endless")
def test_one_message_wakes_one_of_many(redis_server, open_one):
    sender, first = open_one(), Waiting(open_one(), wait=NEVER)
    until(lambda: blocked(redis_server) == 1)
    sender.send([envelope("first")])
    assert first.end() == ["first"]  # since then the server knows the scripts: to tell it takes more calls
    waiting = [Waiting(open_one(), wait=NEVER) for _ in range(6)]
    until(lambda: blocked(redis_server) == 6)
    redis_server.ask("CONFIG", "RESETSTAT")
    for number in range(6):
        sender.send([envelope(str(number))])
        until(lambda number=number: sum(bool(each.found) for each in waiting) == number + 1)
    assert sorted(id for each in waiting for id in each.end()) == list("012345")
    assert calls(redis_server)["evalsha"] <= 8


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("kind", ["urgent", "less urgent", "due"])
def test_what_all_who_wait_are_told_of_is_not_run_for_by_all(redis_server, open_one, kind):
    """A script that looks, and one for the wait that it has broken off, by a few of thirty; once, all of them ran both."""
    brokers = [open_one() for _ in range(30)]
    for _ in range(2):  # the second look knows that others wait, too
        assert not any(waiting.end() for waiting in [Waiting(broker, wait=0.3) for broker in brokers])
    waiting = [Waiting(broker, wait=NEVER) for broker in brokers]
    sender = open_one()
    until(lambda: blocked(redis_server) == 30)
    redis_server.ask("CONFIG", "RESETSTAT")
    for number in range(10):
        of_kind = {"urgent": {"priority": 9}, "less urgent": {"properties": {"priority": 7}}, "due": {"due": clock.now() + 0.05}}
        sender.send([envelope(str(number), **of_kind[kind])])
        until(lambda number=number: sum(bool(each.found) for each in waiting) == number + 1)
    scripts = calls(redis_server)["evalsha"]
    sent = [str(number) for number in range(10)]

    def all_have_some() -> bool:  # one that is slow to look may find several, and leave another none
        lacking = sum(not each.found for each in waiting)
        rest = [f"rest{len(sent) + number}" for number in range(lacking)]
        sender.send(envelopes(*rest))
        sent.extend(rest)
        return not lacking

    until(all_have_some)
    found = [id for each in waiting for id in each.end()] + ids(drain(sender))
    assert sorted(found) == sorted(sent)
    print(f"{scripts} scripts for 10 messages")
    assert scripts < 10 * 30


@pytest.mark.parametrize("kind", ["sooner", "later"])
def test_who_waits_hears_when_the_next_time_is_another_one(redis_server, open_one, kind):
    """A purge takes away the next time, a sooner one comes before it: each is known at once, and nothing runs late."""
    broker, sender = open_one(), open_one()
    sender.send([envelope("far", due=clock.now() + 20)])
    waiting = Waiting(broker)
    until(lambda: blocked(redis_server) == 1)
    if kind == "later":
        assert sender.purge("q") == 1
    begun, due = pace(), clock.now() + 0.2
    sender.send([envelope("near", due=due)])
    assert waiting.end() == ["near"]
    assert due <= clock.now()
    assert waiting.when - begun < 0.2 + 1
    assert redis_server.ask("EXISTS", "umbel.soonest.q") == (b":0\r\n" if kind == "later" else b":1\r\n")


@pytest.mark.parametrize("priority", [0, 4, 9])
@pytest.mark.parametrize("queue", ["q", "other"])
def test_every_kind_of_message_wakes_at_once(open_one, redis_server, priority, queue):
    waiting = Waiting(open_one(), "q", "other")
    until(lambda: blocked(redis_server) == 2)
    begun = pace()
    open_one().send([envelope("a", queue, priority=priority)])
    assert waiting.end() == ["a"]
    assert waiting.when - begun < 0.5


def test_a_message_of_celery_in_a_less_urgent_step_wakes_at_once(open_one, redis_server, redis_url):
    open_broker(redis_url, options={}).send([])
    sender = open_one()
    waiting = Waiting(open_one())
    until(lambda: blocked(redis_server) == 1)
    begun = pace()
    sender.send([envelope("a", properties={"priority": 7})])
    assert waiting.end() == ["a"]
    assert waiting.when - begun < 0.5
    assert waiting.found[0].envelope.properties == {"priority": 7}


def test_a_due_message_that_comes_while_waiting_is_handed_out_at_its_time(open_one, redis_server):
    waiting = Waiting(open_one())
    until(lambda: blocked(redis_server) == 1)
    sender = open_one()
    sender.send([envelope("far", due=clock.now() + 60)])
    begun, due = pace(), clock.now() + 0.3
    sender.send([envelope("near", due=due)])
    assert waiting.end() == ["near"]
    assert due <= clock.now()
    assert waiting.when - begun < 0.3 + 0.5


def test_what_a_wait_has_moved_is_not_lost_with_its_owner(redis_server, open_one, redis_url):
    """The message is in the intake, the owner dead before it could look."""
    dying = open_one(lease=LEASE)
    assert dying.reserve(["q"], 1, 0.02) == []
    redis_server.ask("RPUSH", f"umbel.intake.{dying.owner} q", "{}")
    assert open_one().depth(["q"])["q"].ready == 1
    redis_server.ask("DEL", f"umbel.intake.{dying.owner} q")
    sender = open_one()
    sender.send(envelopes("a"))
    assert redis_server.ask("LMOVE", "q", f"umbel.intake.{dying.owner} q", "RIGHT", "LEFT").startswith(b"$")
    assert sender.reserve(["q"], 1, 0) == []
    until(lambda: sender.recover() is not None and sender.depth(["q"])["q"].ready and sender.reserve(["q"], 1, 0))


def test_a_wait_that_outlives_its_owner_loses_nothing(redis_server, open_one):
    """The owner was taken for dead, while the server still waits for it."""
    frozen, broker = open_one(lease=LEASE), open_one()
    broker.send(envelopes("held"))
    assert ids(frozen.reserve(["q"], 1, 1)) == ["held"]
    waiting = Waiting(frozen, "q", wait=2.0)
    until(lambda: blocked(redis_server) == 1)
    recovered(broker)
    assert waiting.end() == ["held"]
    assert waiting.found[0].attempt == 2
    assert frozen.conclude([Conclusion(waiting.found[0])]) == []


def test_a_server_that_cannot_track_is_served_all_the_same(open_one, redis_server, monkeypatch):
    monkeypatch.setattr(watch, "TRACK", "TRACKING-IT-HAS-NOT")
    waiting = Waiting(open_one())
    until(lambda: blocked(redis_server) == 1)
    open_one().send([envelope("a", priority=9)])
    assert waiting.end() == ["a"]


def test_connections_that_the_server_closed_meanwhile_are_opened_anew(open_one, redis_server, monkeypatch):
    broker = open_one()
    assert broker.reserve(["q"], 1, 0.02) == []
    redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
    broker._watches.waiters.resting[0]._waited -= watch.UNUSED
    monkeypatch.setattr("umbel.stores.redis.link.STALE", 0.0)
    waiting = Waiting(broker)
    until(lambda: blocked(redis_server) == 1)
    open_one().send([envelope("a", priority=1)])
    assert waiting.end() == ["a"]


def test_closing_gives_back_and_leaves_no_key_of_its_own(redis_server, open_one):
    broker = open_one()
    waiting = Waiting(broker)
    until(lambda: blocked(redis_server) == 1)
    broker.close()
    assert waiting.end() == []
    until(lambda: blocked(redis_server) == 0)
    assert set(re.findall(rb"umbel[.\w]+", redis_server.ask("KEYS", "*"))) == {b"umbel.queues"}


def test_messages_that_are_not_due_cost_a_worker_no_memory(redis_server, redis_url, open_one):
    """A hundred thousand of them stay in the server; a worker that looks for work beside them grows by nothing."""
    sender = open_one()
    due = clock.now() + 3600
    for part in range(10):
        sender.send([envelope(f"{part}-{number}", due=due) for number in range(10_000)])
    code = (
        "import resource; from umbel.stores.url import open_broker\n"
        f"broker = open_broker({redis_url!r})\n"
        "broker.reserve(['empty'], 1000, 0.1); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert not [broker.reserve(['q'], 1000, 0.1) for _ in range(3)][-1] and broker.depth(['q'])['q'].later == 100_000\n"
        "broker.close(); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=patience()).stdout
    assert int(told) < 2000  # KB; the messages are 40 MB
