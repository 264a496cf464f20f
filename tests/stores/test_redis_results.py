"""Waiting for results in Redis: many at once, and through a restart."""

from __future__ import annotations

import os
import re
import resource
import threading

import pytest
from tests.servers.proxy import standing_before
from tests.servers.redis import running

from umbel import Umbel, clock
from umbel.errors import BrokerDown, TimeoutError
from umbel.stores.redis import backend as backends
from umbel.stores.redis import listener
from umbel.stores.url import open_backend
from umbel.testing.waiting import NEVER, factor, patience, until
from umbel.wire.result import encode


@pytest.fixture
def open_one(redis_url):
    opened = []

    def open_one():
        opened.append(open_backend(redis_url, expires=60))
        return opened[-1]

    yield open_one
    for backend in opened:
        backend.close()


def looked_up(server) -> int:
    """How many keys were asked for."""
    return sum(int(count) for count in re.findall(rb"keyspace_(?:hits|misses):(\d+)", server.ask("INFO", "stats")))


def test_who_waits_for_many_looks_only_at_those_that_were_heard(redis_server, open_one):
    waiting, other = open_one(), open_one()
    names = [f"task-{number}" for number in range(2000)]
    assert waiting.wait(names, factor()) == {}  # long enough to ask for all of them
    redis_server.ask("CONFIG", "RESETSTAT")
    left = set(names)
    for name in names[:100]:  # a round each, in which all that are left are waited for
        other.store([encode(name, "SUCCESS", 1)])
        while name in left:
            left -= set(waiting.wait(left, patience()))
    assert looked_up(redis_server) < 1000


@pytest.fixture
def waits_for(redis_server, open_one):
    """Has another thread wait for the end of this task, and gives what it has found, once it has looked in vain."""
    threads = []

    def waits_for(name):
        found = []
        backend = open_one()
        redis_server.ask("CONFIG", "RESETSTAT")
        threads.append(threading.Thread(target=lambda: found.append(backend.wait([name], NEVER)), daemon=True))
        threads[-1].start()
        until(lambda: looked_up(redis_server) == 4)  # the document and the state: before it listens, and as soon as it does
        return found

    yield waits_for
    for thread in threads:
        thread.join(patience())
        assert not thread.is_alive()


def test_an_end_that_is_told_is_taken_without_a_look(redis_server, open_one, waits_for):
    found, result = waits_for("told"), encode("told", "FAILURE", ValueError("no"))
    open_one().store([result])
    until(lambda: found)
    assert found == [{"told": result}]
    assert looked_up(redis_server) == 4


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("serializer", ["json", "pickle", "yaml", "msgpack"])
def test_an_end_that_is_told_otherwise_or_at_length_is_looked_at(open_one, waits_for, serializer, size):
    found, result = waits_for("long"), encode("long", "SUCCESS", "x" * size, serializer=serializer)
    open_one().store([result])
    until(lambda: found)
    assert found == [{"long": result}]


@pytest.mark.parametrize(
    "told", ["", "-1", "\xff", '{"status": "STARTED"}', '{"status": "SUCCESS", "res', '{"status": 1}', "SUCCESS"]
)
def test_what_is_told_and_is_no_end_is_looked_at(redis_server, open_one, waits_for, told):
    found, result = waits_for("odd"), encode("odd", "SUCCESS", 1)
    redis_server.ask("PUBLISH", "celery-task-meta-odd", told)
    until(lambda: looked_up(redis_server) == 6)
    assert found == []
    open_one().store([result])
    until(lambda: found)
    assert found == [{"odd": result}]


def test_one_of_whom_only_the_name_is_known_does_not_wait_for_those_whose_ends_are_told(open_one):
    backend, heard = open_one(), listener.Heard()
    ends = {name: encode(name, "SUCCESS", name) for name in ("a", "b")}
    backend.store([ends["a"]])
    heard.tell(b"celery-task-meta-a")
    heard.tell(b"celery-task-meta-b", ends["b"].document)
    names = {f"celery-task-meta-{name}".encode(): name for name in ends}
    assert backend._wait(names, clock.monotonic() + patience(), heard, None) == ends


def test_what_was_told_between_two_waits_is_found(open_one):
    waiting, other = open_one(), open_one()
    assert waiting.wait(["a", "b"], 0.2) == {}
    other.store([encode("b", "SUCCESS", 1)])
    assert set(waiting.wait(["a", "b"], patience())) == {"b"}
    assert set(waiting.wait(["b"], patience())) == {"b"}
    assert waiting.wait(["a"], 0.01) == {}
    other.store([encode("a", "STARTED", None)])
    assert waiting.wait(["a"], 0.05) == {}
    other.store([encode("a", "SUCCESS", 1)])
    assert set(waiting.wait(["a"], patience())) == {"a"}


def test_channels_that_nobody_waits_for_are_left_soon(redis_server, open_one):
    waiting = open_one()
    names = [f"left-{number}" for number in range(100)]
    one = threading.Thread(target=waiting.wait, args=(names, 30))
    one.start()
    until(lambda: redis_server.ask("PUBSUB", "CHANNELS", "celery-task-meta-left-*").startswith(b"*100\r\n"))
    waiting.store([encode("left-7", "SUCCESS", 1)])
    one.join(patience())
    until(lambda: redis_server.ask("PUBSUB", "CHANNELS", "celery-task-meta-left-*") == b"*0\r\n")
    waiting.store([encode("task-1", "SUCCESS", 1)])
    assert set(waiting.wait(["task-1", "task-2"], patience())) == {"task-1"}


def test_a_closed_backend_leaves_its_channels_at_once(redis_server, open_one):
    waiting, others = open_one(), set(threading.enumerate())
    assert waiting.wait([f"closed-{number}" for number in range(100)], 0.1) == {}
    waiting.close()
    assert not any(thread.name == "umbel-results" for thread in set(threading.enumerate()) - others)
    until(lambda: redis_server.ask("PUBSUB", "CHANNELS", "celery-task-meta-closed-*") == b"*0\r\n")


def test_a_forked_or_ended_listener_begins_anew(open_one, monkeypatch):
    monkeypatch.setattr(listener, "IDLE", 0.05)
    monkeypatch.setattr(listener, "LINGER", 0.05)
    waiting, other = open_one(), open_one()
    for number in range(3):
        assert waiting.wait([f"{number}"], 0.02) == {}
        until(lambda: not any(thread.name == "umbel-results" for thread in threading.enumerate()))
        other.store([encode(f"{number}", "SUCCESS", 1)])
        assert set(waiting.wait([f"{number}"], patience())) == {f"{number}"}


def test_get_in_sixty_four_threads_through_a_restart_returns_or_times_out(tmp_path):
    with running(tmp_path, "--appendonly", "yes") as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        app = Umbel("results", broker=url, backend=url, set_as_current=False)
        found: dict[int, object] = {}

        def get(number: int) -> None:
            try:
                found[number] = app.AsyncResult(f"r{number}").get(timeout=patience() if number % 2 else 3)
            except Exception as error:
                found[number] = error

        threads = [threading.Thread(target=get, args=(number,), daemon=True) for number in range(64)]
        for thread in threads:
            thread.start()
        until(lambda: server.ask("PUBSUB", "CHANNELS").count(b"celery-task-meta-") == 64)
        app.backend.store([encode(f"r{number}", "SUCCESS", number) for number in range(1, 16, 2)])
        until(lambda: len(found) == 8)
        server.stop(kill=True)
        server.start()
        other = open_backend(url, expires=60)
        until(lambda: _stored(other, [encode(f"r{number}", "SUCCESS", number) for number in range(17, 64, 2)]))
        for thread in threads:
            thread.join(patience())
        assert sorted(found) == list(range(64))
        assert all(found[number] == number for number in range(1, 64, 2)), found
        assert all(isinstance(found[number], TimeoutError) for number in range(0, 64, 2)), found
        other.close()
        app.close()


def _stored(backend, results) -> bool:
    try:
        backend.store(results)
    except BrokerDown:
        return False
    return True


@pytest.fixture
def many_open_files():
    """So many that all that are opened from now on have numbers that `select` does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_listener_with_more_than_a_thousand_open_files_hears_through_an_outage(
    redis_server, redis_url, many_open_files, open_one
):
    other = open_one()
    with standing_before(redis_server.port) as proxy:
        waiting = open_backend(f"redis://127.0.0.1:{proxy.port}/0", expires=60)
        found = {}
        thread = threading.Thread(target=lambda: found.update(waiting.wait(["a"], patience())))
        thread.start()
        until(lambda: b"celery-task-meta-a" in redis_server.ask("PUBSUB", "CHANNELS"))
        proxy.refuse()
        proxy.cut()
        other.store([encode("a", "SUCCESS", 1)])
        proxy.admit()
        thread.join(patience())
        assert set(found) == {"a"}
        waiting.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_a_listener_that_dies_is_made_anew(redis_server, open_one, monkeypatch, kind):
    monkeypatch.setattr(backends, "SILENT", 0.05)
    waiting, other, deaths = open_one(), open_one(), []
    change = listener.Listener._change

    def fail_once(self, wire):
        if not deaths:
            deaths.append(self._thread)
            raise kind("it has a bad day")
        change(self, wire)

    monkeypatch.setattr(listener.Listener, "_change", fail_once)
    found = {}
    thread = threading.Thread(target=lambda: found.update(waiting.wait(["a"], patience())))
    thread.start()
    until(lambda: deaths and b"celery-task-meta-a" in redis_server.ask("PUBSUB", "CHANNELS"))
    other.store([encode("a", "SUCCESS", 1)])
    thread.join(patience())
    assert set(found) == {"a"}
