"""Redis away, frozen, full, restarted, or without its scripts."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.servers.redis import running

from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.broker import Conclusion, Depth, Recovered
from umbel.stores.redis.trouble import refusal
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import LEASE, drain, envelope, envelopes, ids
from umbel.testing.waiting import factor, pace, patience, until
from umbel.wire.result import Result, encode


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "server", "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.fixture
def url(server):
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def broker(url):
    broker = open_broker(url)
    yield broker
    broker.close()


def in_time(work, seconds: float = 5.5):
    """What `work` raises, soon enough."""
    begun = pace()
    with pytest.raises(BrokerDown) as told:
        work()
    assert pace() - begun < seconds
    return str(told.value)


def test_an_absent_server_is_told_at_once():
    broker = open_broker("redis://user:secret@127.0.0.1:1/0")
    told = in_time(lambda: broker.send([envelope("a")]), 2)
    assert "redis://127.0.0.1:1/0" in told
    assert "secret" not in told
    in_time(lambda: broker.reserve(["q"], 1, 1), 2)
    broker.close()


@pytest.mark.parametrize("is_first", [True, False])
def test_sending_to_a_frozen_server_ends_in_time(server, url, is_first):
    limit = 5 if is_first else 1
    broker = open_broker(url, options={"socket_timeout": str(limit)})
    if not is_first:
        broker.send([envelope("before")])
    server.send(signal.SIGSTOP)
    in_time(lambda: broker.send([envelope("a")]), limit + 0.5)
    server.send(signal.SIGCONT)
    until(lambda: "a" in ids(drain(broker)) or broker.send([envelope("a")]))
    broker.close()


def test_a_wait_on_a_frozen_server_ends_and_goes_on_later(server, broker):
    assert broker.reserve(["q"], 1, 0.05) == []
    server.send(signal.SIGSTOP)
    in_time(lambda: broker.reserve(["q"], 1, 60))
    server.send(signal.SIGCONT)
    broker.send([envelope("a")])
    assert ids(broker.reserve(["q"], 1, 5)) == ["a"]


def test_what_was_held_is_still_held_after_a_restart(server, broker):
    broker.send(envelopes(*map(str, range(10))))
    held = broker.reserve(["q"], 5, 1)
    broker.started(held[:1])
    server.stop(kill=True)
    in_time(lambda: broker.conclude([Conclusion(held[0])]))
    server.start()
    assert broker.conclude([Conclusion(each) for each in held]) == []
    assert ids(broker.reserve(["q"], 10, 1)) == list("56789")


def test_a_waiting_worker_goes_on_after_a_restart(server, broker, url):
    found: list[str] = []

    def work() -> None:
        while not found:
            try:
                found.extend(ids(broker.reserve(["q"], 1, 0.5)))
            except BrokerDown:
                time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: b"blocked_clients:1" in server.ask("INFO", "clients"))
    server.stop()
    server.start()
    sender = open_broker(url)
    sender.send([envelope("a")])
    thread.join(patience())
    assert found == ["a"]
    sender.close()


def test_scripts_that_the_server_forgot_are_told_again(server, broker):
    for number in range(3):
        server.ask("SCRIPT", "FLUSH")
        broker.send([envelope(f"{number}"), envelope("later", due=time.time() + 0.01)])
        server.ask("SCRIPT", "FLUSH")
        until(lambda: broker.conclude([Conclusion(each) for each in drain(broker)]) == [] and not broker.queues())
    assert broker.renew(30)


def test_scripts_may_be_forgotten_at_any_moment(server, url):
    brokers = [open_broker(url) for _ in range(3)]
    done: list[str] = []
    errors: list[Exception] = []

    def work(broker, number: int) -> None:
        try:
            for count in range(100):
                late = envelope(f"{number}-{count}-late", due=time.time() + 0.001)
                broker.send([envelope(f"{number}-{count}"), late])
                held = broker.reserve(["q"], 10, 0.5)
                assert broker.conclude([Conclusion(each) for each in held]) == []
                done.extend(ids(held))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(broker, number)) for number, broker in enumerate(brokers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        server.ask("SCRIPT", "FLUSH")
    assert not errors
    until(lambda: done.extend(ids(drain(brokers[0]))) or len(done) >= 600)
    assert sorted(done) == sorted(f"{n}-{count}{late}" for n in range(3) for count in range(100) for late in ("", "-late"))
    for broker in brokers:
        broker.close()


def test_killed_connections_are_opened_again(server, broker):
    broker.send([envelope("a")])
    server.ask("CLIENT", "KILL", "TYPE", "normal")
    until(lambda: sends(broker))
    assert "a" in ids(drain(broker))


def sends(broker) -> bool:
    try:
        broker.send([envelope("b")])
    except BrokerDown:
        return False
    return True


def test_a_full_server_takes_no_message_and_still_hands_out_and_concludes(server, broker, url):
    backend = open_backend(url.replace("/0", "/1"), expires=60)
    assert broker.keeps(backend)
    broker.send([envelope(str(number), body=b"x" * 1000) for number in range(100)])
    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.ask("CONFIG", "SET", "maxmemory", "1000000")
    assert "is full" in in_time(lambda: broker.send([envelope("more")]), 1)
    worker = open_broker(url)
    assert worker.keeps(backend)
    held = worker.reserve(["q"], 100, 0)
    assert len(held) == 100
    assert worker.started(held[:1]) == []
    assert worker.conclude([Conclusion(each, [Result(each.envelope.id, "SUCCESS", b"{}")]) for each in held]) == []
    assert len(backend.fetch([str(number) for number in range(100)])) == 100
    assert worker.renew(30)
    server.ask("CONFIG", "SET", "maxmemory", "0")
    broker.send([envelope("more")])
    for store in (worker, backend):
        store.close()


def test_a_replica_is_down_not_refusing(server, broker):
    broker.send([envelope("a")])
    server.ask("REPLICAOF", "127.0.0.1", "1")
    assert "replica" in in_time(lambda: broker.send([envelope("b")]), 1)
    server.ask("REPLICAOF", "NO", "ONE")
    broker.send([envelope("b")])
    assert ids(drain(broker)) == ["a", "b"]


def test_a_key_that_is_no_list_is_refused(server, broker):
    server.ask("SET", "q", "something else")
    with pytest.raises(BrokerRefused, match="is no queue"):
        broker.send([envelope("a")])
    broker.send([envelope("a", "other")])
    assert ids(drain(broker, "other")) == ["a"]


def done(delivery, **parts) -> Conclusion:
    """Ends with a result."""
    return Conclusion(delivery, [Result(delivery.envelope.id, "SUCCESS", b'{"status": "SUCCESS"}')], **parts)


@pytest.mark.parametrize("db", ["0", "1"])
def test_an_outcome_that_cannot_be_written_ends_nothing_and_takes_no_other_with_it(server, broker, url, db):
    """Its follow-up is for a queue under whose name another program keeps something."""
    backend = open_backend(url.replace("/0", f"/{db}"), expires=60)
    assert broker.keeps(backend)
    server.ask("SET", "cache", "of another program")
    broker.send(envelopes("a", "b", "c"))
    a, b, c = broker.reserve(["q"], 3, 1)
    outcomes = [done(a), done(b, envelopes=envelopes("x", "y", queue="cache")), done(c, envelopes=envelopes("z", queue="after"))]
    with pytest.raises(BrokerRefused, match="is no queue"):
        broker.conclude(outcomes)
    assert broker.depth(["q", "after"]) == {"q": Depth(held=3), "after": Depth()}
    assert broker.conclude([outcomes[0]]) == broker.conclude([outcomes[2]]) == []
    assert set(backend.fetch(["a", "b", "c"])) == {"a", "c"}
    assert ids(drain(broker, "after")) == ["z"]
    assert broker.conclude([Conclusion(b, buried="its outcome could not be stored")]) == []
    assert [letter.envelope.id for letter in broker.buried()] == ["b"]
    backend.close()


def test_a_second_outcome_of_the_same_delivery_writes_nothing(broker, url):
    backend = open_backend(url, expires=60)
    assert broker.keeps(backend)
    broker.send(envelopes("a"))
    (a,) = broker.reserve(["q"], 1, 1)
    failed = Conclusion(a, [Result("a", "FAILURE", b'{"status": "FAILURE"}')])
    assert broker.conclude([failed, done(a)]) == [a]
    assert backend.fetch(["a"])["a"].state == "FAILURE"
    backend.close()


def test_a_user_that_may_not_write_results_loses_no_task(server, url):
    server.ask("ACL", "SETUSER", "narrow", "on", ">secret", "+@all", "~q*", "~umbel*", "~_kombu*", "&*")
    narrow = url.replace("redis://", "redis://narrow:secret@")
    broker, backend = open_broker(narrow), open_backend(narrow.replace("/0", "/1"), expires=60)
    assert broker.keeps(backend)
    broker.send(envelopes("a", "b"))
    a, b = broker.reserve(["q"], 2, 1)
    with pytest.raises(BrokerRefused, match="does not allow this user"):
        broker.conclude([done(a), done(b)])
    assert broker.depth(["q"])["q"].held == 2
    assert broker.conclude([Conclusion(a, buried="its outcome could not be stored"), Conclusion(b)]) == []
    assert broker.depth(["q"]) == {"q": Depth(dead=1)}
    for store in (broker, backend):
        store.close()


def test_results_of_another_user_are_written_by_that_user(url):
    broker, backend = open_broker(url), open_backend(url.replace("redis://", "redis://other:secret@"), expires=60)
    assert not broker.keeps(backend)


def test_what_cannot_go_back_to_its_queue_is_buried(server, broker, url):
    dying = open_broker(url, lease=LEASE)
    dying.send([*envelopes("held", "released"), *envelopes("other", queue="other")])
    assert len(dying.reserve(["q", "other"], 1, 1)) == 1
    held = dying.reserve(["q", "other"], 5, 1)
    server.ask("SET", "q", "of another program")
    assert dying.release([each for each in held if each.envelope.id == "released"]) == []
    until(lambda: broker.recover().returned)
    assert ids(drain(broker, "other")) == ["other"]
    assert broker.recover() == Recovered()
    assert sorted(letter.envelope.id for letter in broker.buried("q")) == ["held", "released"]
    assert "no list now" in broker.buried()[0].reason
    with pytest.raises(BrokerRefused, match="is no queue"):
        broker.revive([letter.key for letter in broker.buried()])
    server.ask("DEL", "q")
    assert broker.revive([letter.key for letter in broker.buried()]) == 2
    assert sorted(ids(drain(broker))) == ["held", "released"]
    dying.close()


def test_what_is_due_and_cannot_go_to_its_queue_waits(server, broker):
    due = time.time() + 0.5 * factor()  # not before what stands in the queue's place, which would take what waits there away
    broker.send([envelope("urgent", priority=9, due=due), envelope("plain", due=due)])
    server.ask("SET", "q", "of another program")
    until(lambda: time.time() > due)
    for _ in range(2):
        with pytest.raises(BrokerRefused, match="is no queue"):
            broker.reserve(["q"], 5, 0)
    server.ask("DEL", "q")
    assert ids(drain(broker)) == ["urgent", "plain"]


def test_a_message_beyond_what_redis_takes_is_refused(broker, monkeypatch):
    monkeypatch.setattr("umbel.stores.redis.element.LONGEST", 10_000)
    with pytest.raises(BrokerRefused, match="store it elsewhere"):
        broker.send([envelope("a", body=b"x" * 10_000)])


def test_more_follow_ups_than_redis_takes_are_refused_and_the_rest_concluded(broker, monkeypatch):
    monkeypatch.setattr("umbel.stores.redis.batch.MOST_ARGUMENTS", 100)
    broker.send(envelopes(*map(str, range(50))))
    held = broker.reserve(["q"], 50, 1)
    many = [Conclusion(each, envelopes=envelopes("x", "y", "z", queue="after")) for each in held]
    assert broker.conclude([*many, many[0]]) == [held[0]]
    assert broker.depth(["q", "after"])["after"].ready == 150
    monkeypatch.setattr("umbel.stores.redis.ends.MOST_FOR_ONE", 100)
    with pytest.raises(BrokerRefused, match="in parts"):
        broker.conclude([Conclusion(held[0], envelopes=envelopes(*map(str, range(50))))])


def test_more_conclusions_than_one_script_takes_go_in_several(broker, url, monkeypatch):
    backend = open_backend(url, expires=60)
    monkeypatch.setattr("umbel.stores.redis.batch.MOST_ARGUMENTS", 9)
    assert broker.keeps(backend)
    names = [*map(str, range(40))]
    broker.send(envelopes(*names))
    held = broker.reserve(["q"], 50, 1)
    given = [Conclusion(each, [encode(each.envelope.id, "SUCCESS", 1)] if place % 2 else ()) for place, each in enumerate(held)]
    assert broker.release(held[:2] + held[20:22]) == []
    assert sorted(ids(broker.conclude(given))) == ["0", "1", "20", "21"]
    assert sorted(backend.fetch(names), key=int) == [name for name in names if int(name) % 2 and name not in ("1", "21")]
    assert ids(drain(broker)) == ["0", "1", "20", "21"]
    backend.close()


def test_sixty_four_threads_wait_through_a_restart_on_one_connection(server, url):
    backend, other = open_backend(url, expires=60), open_backend(url, expires=60)
    found: list[str] = []
    threads = [threading.Thread(target=lambda n=n: found.extend(backend.wait([str(n)], patience()))) for n in range(64)]
    for thread in threads:
        thread.start()
    until(lambda: server.ask("PUBSUB", "CHANNELS").count(b"celery-task-meta-") == 64)
    assert server.ask("CLIENT", "LIST", "TYPE", "pubsub").count(b"id=") == 1
    server.stop()
    server.start()
    until(lambda: stores(other, [Result(str(n), "SUCCESS", b"{}") for n in range(64)]))
    for thread in threads:
        thread.join(patience())
    assert sorted(found, key=int) == [str(n) for n in range(64)]
    for each in (backend, other):
        each.close()


def stores(backend, results) -> bool:
    try:
        backend.store(results)
    except BrokerDown:
        return False
    return True


def test_waiting_for_a_result_of_an_absent_server_ends_with_its_timeout():
    backend = open_backend("redis://127.0.0.1:1", expires=1)
    begun, paced = time.monotonic(), pace()
    with pytest.raises(BrokerDown):
        backend.wait(["a"], 0.5)
    assert time.monotonic() - begun > 0.4
    assert pace() - paced < 3
    backend.close()


def test_after_a_kill_of_everything_only_what_is_named_for_good_is_left(server, url):
    script = (
        "import sys, threading; from umbel.stores.url import open_broker\n"
        f"broker = open_broker({url!r}, lease=0.3)\n"
        "broker.started(broker.reserve(['q'], 1, 1)); broker.reserve(['q'], 1, 1)\n"
        "threading.Thread(target=broker.reserve, args=(['idle'], 1, 60), daemon=True).start()\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    broker = open_broker(url)
    broker.send([*envelopes("begun", "held", "ready"), envelope("later", due=time.time() + 0.1), envelope("urgent", priority=0)])
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    child.kill()
    child.communicate()
    stranded: list[str] = []

    def all_came_back() -> bool:
        found = broker.recover()
        stranded.extend(ids(found.stranded))
        broker.conclude([Conclusion(each) for each in [*found.stranded, *drain(broker)]])
        return not broker.queues()

    until(all_came_back)
    assert stranded == ["begun"]
    broker.close()
    keys = set(server.ask("KEYS", "*").split(b"\r\n")[2::2])
    expected = {b"umbel.queues", b"_kombu.binding.q", b"_kombu.binding.idle"}
    assert keys - expected <= {b"umbel.intakes", b"umbel.soonest.q"}  # these end by themselves


@pytest.mark.parametrize(
    "told",
    [
        "READONLY You can't write against a read only replica.",
        "READONLY You can't write against a read only replica. script: 4d3b, on @user_script:7.",
        "ERR Error running script (call to f_4d3b): @user_script:7: @user_script: 7: -READONLY You can't write here.",
        "ERR Error running script (call to f_4d3b): @user_script:7: @user_script: 7: -OOM command not allowed",
    ],
)
def test_a_server_that_takes_no_writes_now_is_away_and_not_unwilling(told):
    assert isinstance(refusal("redis://here", told), BrokerDown)


def test_a_replica_without_its_master_is_told_as_one(server, broker):
    broker.send([envelope("a")])
    server.ask("CONFIG", "SET", "replica-serve-stale-data", "no")
    server.ask("REPLICAOF", "127.0.0.1", "1")
    assert "is a replica that has lost its master (MASTERDOWN " in in_time(lambda: broker.depth(["q"]))
    server.ask("REPLICAOF", "NO", "ONE")
    until(lambda: broker.depth(["q"])["q"].ready == 1)
