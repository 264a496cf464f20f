"""Sending to Redis is accepted or raises, and never blocks longer than `broker_publish_timeout`, whatever the server does."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
import time

import pytest
from tests.servers.proxy import Mode, standing_before
from tests.servers.redis import RedisServer, free_port, make_certificate, running, running_sentinel

from umbel import Umbel
from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.redis.broker import PUSHED
from umbel.testing.given import in_a_child
from umbel.testing.waiting import pace, patience, until

LIMIT = 2.0
ALLOWANCE = 1.5
"""Seconds more that a loaded machine may take to run 34 senders at once."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("sending")) as server:
        yield server


def url_of(server: RedisServer) -> str:
    return f"redis://127.0.0.1:{server.port}/1"


def sender(url: str, **settings):
    """A task to send, of an app of its own."""
    app = Umbel("sender", broker=url, broker_publish_timeout=LIMIT, set_as_current=False, **settings)
    return app.task(name="add")(lambda x, y: x + y)


def error_of(work) -> tuple[BaseException | None, float]:
    """What `work` raises, and after how many seconds of a machine that is not busy it ends."""
    begun = pace()
    try:
        work()
    except Exception as error:
        return error, pace() - begun
    return None, pace() - begun


def batch_of(task, count: int):
    """Sends so many in one step."""
    with task.app.batch():
        for number in range(count):
            task.delay(number, 1)


def all_end_in_time(url: str, kind: type[Exception], words: str, first=None) -> None:
    """One by one, 32 threads at once, 10,000 at once and a forked child, with and without retrying: each raises, and in time."""
    ready, once = first or sender(url), sender(url, task_publish_retry=False)
    assert in_a_child(lambda: _is_right(error_of(lambda: ready.delay(1, 2)), kind, words))
    found: list[tuple[BaseException | None, float]] = []
    work = [lambda: (ready, once)[0].delay(1, 2), lambda: once.delay(1, 2)] * 16 + [lambda: batch_of(ready, 10_000)]
    threads = [threading.Thread(target=lambda each=each: found.append(error_of(each))) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience())
    assert len(found) == len(work)
    assert all(_is_right(each, kind, words) for each in found), found[-1]


def _is_right(told: tuple[BaseException | None, float], kind: type[Exception], words: str) -> bool:
    error, seconds = told
    assert isinstance(error, kind), error
    assert re.search(words, str(error)), str(error)
    assert "\n" not in str(error)
    assert seconds < LIMIT + ALLOWANCE, seconds
    return True


def is_accepted(task) -> bool:
    """True once it can be sent again."""
    return error_of(lambda: task.delay(1, 2))[0] is None


def test_to_a_server_that_is_absent():
    all_end_in_time(f"redis://127.0.0.1:{free_port()}/1", BrokerDown, "Connection refused")


def test_to_a_server_that_has_gone(tmp_path):
    with running(tmp_path) as server:
        task = sender(url_of(server))
        for _ in range(1000):
            task.delay(1, 2)
        server.stop(kill=True)
        all_end_in_time(url_of(server), BrokerDown, "cannot be reached", task)
        server.start()
        until(lambda: is_accepted(task))


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_to_a_host_whose_name_the_system_looks_up_for_ever(server, monkeypatch, scheme):
    """Its resolver asks again and again, for half a minute with many systems' settings, and cannot be interrupted."""
    found, lookup = threading.Event(), socket.getaddrinfo

    def slow(host, *arguments, **options):
        if host == "redis.example":
            if options["flags"] & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "it is a name")
            found.wait(patience())
            host = "127.0.0.1"
        return lookup(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    url = f"{scheme}://redis.example:{server.port}/1"
    try:
        all_end_in_time(url, BrokerDown, "looking up the name 'redis.example' takes too long")
        lookups = [thread for thread in threading.enumerate() if thread.name.startswith("umbel-lookup")]
        assert len(lookups) <= 33  # as many as began at once: who tries again waits for the same
    finally:
        found.set()
    if scheme == "redis":
        until(lambda: is_accepted(sender(url)))


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("mode", [Mode.HOLD, Mode.MUTE])
def test_to_a_host_behind_a_network_that_swallows_all(server, mode, is_first):
    with standing_before(server.port) as proxy:
        task = sender(f"redis://127.0.0.1:{proxy.port}/1")
        if not is_first:
            task.delay(1, 2)
        proxy.let(mode)
        all_end_in_time(task.app.conf.broker_url, BrokerDown, "cannot be reached", task)
        proxy.let(Mode.PASS)
        until(lambda: is_accepted(task))


def test_to_a_host_where_connecting_never_ends():
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # more than its backlog takes: the next SYN is not answered
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(listener.getsockname())
        all_end_in_time(f"redis://127.0.0.1:{listener.getsockname()[1]}/1", BrokerDown, "cannot be reached")


@pytest.mark.parametrize("is_first", [True, False])
def test_to_a_server_that_is_frozen(server, is_first):
    task = sender(url_of(server))
    if not is_first:
        task.delay(1, 2)
    server.send(signal.SIGSTOP)
    try:
        all_end_in_time(url_of(server), BrokerDown, "cannot be reached", task)
    finally:
        server.send(signal.SIGCONT)
    until(lambda: is_accepted(task))


def test_to_a_server_that_is_full(server):
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        all_end_in_time(url_of(server), BrokerDown, "is full: raise maxmemory, or let workers empty the queues")
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    until(lambda: is_accepted(sender(url_of(server))))


def test_to_a_server_that_is_a_replica(server):
    server.ask("REPLICAOF", "127.0.0.1", "1")
    try:
        all_end_in_time(url_of(server), BrokerDown, "is a replica now, and takes no writes")
    finally:
        server.ask("REPLICAOF", "NO", "ONE")
    until(lambda: is_accepted(sender(url_of(server))))


def test_to_a_server_that_is_loading(tmp_path):
    with running(tmp_path) as server:
        server.ask("EVAL", "for number = 1, 60000 do redis.call('SET', number, '') end", "0")
        server.ask("SAVE")
    slow = ("--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024")
    loading = RedisServer(tmp_path, *slow)
    loading.launch()
    try:
        until(lambda: loading.answers(b"-LOADING"))
        all_end_in_time(url_of(loading), BrokerDown, "is loading its data|cannot be reached")  # it is slow to read, too
        assert loading.answers(b"-LOADING")
    finally:
        loading.stop(kill=True)


def test_with_a_password_that_is_wrong_or_missing(tmp_path):
    with running(tmp_path, "--requirepass", "secret") as server:
        all_end_in_time(f"redis://:wrong@127.0.0.1:{server.port}/1", BrokerRefused, "does not let this user in")
        all_end_in_time(f"redis://127.0.0.1:{server.port}/1", BrokerRefused, "does not let this user in")
        until(lambda: is_accepted(sender(f"redis://:secret@127.0.0.1:{server.port}/1")))


def test_in_tls_to_a_server_that_speaks_none(server, few_certificates):
    all_end_in_time(f"rediss://127.0.0.1:{server.port}/1?ssl_cert_reqs=none", BrokerDown, "cannot be reached")


def test_without_tls_to_a_server_that_speaks_nothing_else(tmp_path, few_certificates):
    port = free_port()
    with running(tmp_path, *make_certificate(tmp_path, port)):
        all_end_in_time(f"redis://127.0.0.1:{port}/1", BrokerDown, "cannot be reached")
        until(lambda: is_accepted(sender(f"rediss://localhost:{port}/1?ssl_ca_certs={tmp_path}/cert.pem")))


@pytest.mark.parametrize("is_first", [True, False])
def test_in_tls_to_a_server_that_is_frozen(tmp_path, is_first, few_certificates):
    port = free_port()
    url = f"rediss://localhost:{port}/1?ssl_ca_certs={tmp_path}/cert.pem"
    with running(tmp_path, *make_certificate(tmp_path, port)) as server:
        task = sender(url)
        if not is_first:
            task.delay(1, 2)
        server.send(signal.SIGSTOP)
        try:
            all_end_in_time(url, BrokerDown, "cannot be reached", task)
        finally:
            server.send(signal.SIGCONT)
        until(lambda: is_accepted(task))


def test_to_sentinels_that_know_no_such_master(server, tmp_path):
    with running_sentinel(tmp_path, server.port) as sentinel:
        here = f"sentinel://127.0.0.1:{sentinel.port}"
        nobody = f"sentinel://127.0.0.1:{free_port()}"
        all_end_in_time(f"{here};{nobody}/1?master_name=other", BrokerDown, "no sentinel knows the master 'other' now")
        until(lambda: is_accepted(sender(f"{nobody};{here}/1")))


def test_to_sentinels_that_are_frozen(server, tmp_path):
    with running_sentinel(tmp_path, server.port) as sentinel:
        sentinel.send(signal.SIGSTOP)
        here = f"sentinel://127.0.0.1:{sentinel.port}"
        all_end_in_time(f"{here};{here};{here}/1", BrokerDown, "no sentinel knows the master 'mymaster' now")


def test_each_message_is_one_command_and_a_batch_one_for_many(tmp_path):
    with running(tmp_path) as server:
        task = sender(url_of(server))
        task.delay(1, 2)  # the first tells of its queue, too
        server.ask("CONFIG", "RESETSTAT")
        for _ in range(100):
            task.delay(1, 2)
        batch_of(task, 3000)
        told = re.findall(r"cmdstat_([\w|]+):calls=(\d+)", server.ask("INFO", "commandstats").decode())
    assert {name: count for name, count in told if not name.startswith("config")} == {"lpush": str(100 + 3000 // PUSHED)}


@contextlib.contextmanager
def sluggish(server: RedisServer, seconds: float):
    """The server takes writes only now and then: `seconds` after the last time."""
    over = threading.Event()

    def hinder() -> None:
        while not over.is_set():
            server.ask("CLIENT", "PAUSE", str(int(seconds * 1000)), "WRITE")
            server.ask("SET", "of another database", "")  # comes when the pause is over

    thread = threading.Thread(target=hinder)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_long_batch_has_the_time_for_each_part(server, monkeypatch):
    """What takes longer than the limit, but goes on, is no outage."""
    monkeypatch.setattr("umbel.stores.redis.broker.MOST_SENT", 10)
    task = sender(url_of(server))
    task.app.conf.broker_publish_timeout = limit = 2.0
    server.ask("FLUSHALL")
    sent, seconds, end = 0, 0.0, time.monotonic() + patience()
    with sluggish(server, 0.3):
        while seconds <= limit and time.monotonic() < end:  # the hindrance may come late, where much else is done
            sent += 200
            begun = time.monotonic()
            batch_of(task, 200)
            seconds = time.monotonic() - begun
    assert seconds > limit
    assert task.app.broker.depth(["celery"])["celery"].ready == sent


def test_a_sender_sleeps_while_a_slow_server_makes_it_wait(server):
    task = sender(url_of(server))
    task.delay(1, 2)
    server.ask("CLIENT", "PAUSE", "500")
    begun, spent = time.monotonic(), time.thread_time()
    task.delay(1, 2)
    assert time.monotonic() - begun > 0.3
    assert time.thread_time() - spent < 0.1
