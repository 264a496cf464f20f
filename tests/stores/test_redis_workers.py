"""Whole workers on Redis, as `umbel worker` starts them: what they cost while idle, and what is left when all are killed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.servers.redis import RedisServer, free_port, running
from tests.trips.conftest import project as project

from umbel.testing.waiting import patience, until

LEASE = 1.0
TASKS = """
app.conf.result_expires = 1
app.conf.beat_schedule = {"hourly": {"task": "proj.add", "schedule": 3600.0, "args": (1, 2)}}

@app.task
def add(x, y):
    return x + y

@app.task(bind=True)
def hold(self):
    tell("hold")
    while self.request.delivery_info is not None and not os.path.exists("gate"):
        time.sleep(0.01)

@app.task
def nap(number):
    time.sleep(0.02)
    tell(os.getppid(), number)

@app.task(acks_late=False)
def early():
    hold.run()
"""
WAITING = """
import threading
from proj import app
for number in range(16):
    threading.Thread(target=app.AsyncResult(f"never {number}").get, daemon=True).start()
print("waits", flush=True)
input()
"""


@pytest.fixture
def server(tmp_path) -> Iterator[RedisServer]:
    with running(tmp_path / "server") as server:
        yield server


@pytest.fixture
def url(server) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


def overheard(server: RedisServer, waits: int) -> Counter[str]:
    """The commands that clients send until they have waited so often, those inside scripts not counted."""
    found: Counter[str] = Counter()
    with socket.create_connection(("127.0.0.1", server.port), 30) as ear, ear.makefile("rb") as lines:
        ear.sendall(b"MONITOR\r\n")
        assert lines.readline() == b"+OK\r\n"
        while found["BLMOVE"] < waits:
            told = re.match(rb'\+[\d.]+ \[\d+ (\S+)\] "(\w+)"', lines.readline())
            assert told
            if told[1] != b"lua":
                found[told[2].decode()] += 1
    return found


def test_an_idle_worker_sends_less_than_one_command_a_second_besides_its_lease_and_its_waits(project, server, url):
    made = project(TASKS, lease=30.0, store=url)
    made.app.conf.result_backend = url
    with made.worker("-c", "2", "-Q", "celery,other"):
        assert made.app.send_task("proj.add", (1, 2)).get(timeout=patience()) == 3
        made.app.close()
        overheard(server, 4)
        begun = time.monotonic()
        found = overheard(server, 20)
        seconds = time.monotonic() - begun
    booked = found.pop("BLMOVE")  # and each wait is followed by the script that books what it has found
    found["EVALSHA"] -= booked
    lease = 2 * (seconds // 10 + 1)  # a renewal and a recovery
    assert found.total() <= seconds + lease, (found, seconds)


def test_after_a_kill_of_everything_there_are_no_more_keys_than_before(project, server, url):
    made = project(TASKS, lease=LEASE, store=url)
    made.app.conf.update(result_backend=url, task_revoke_ttl=1)
    options = ("-c", "2", "-B")

    def keys() -> set[bytes]:
        return set(server.ask("KEYS", "*").split(b"\r\n")[2::2])

    left = {b"celery-task-meta-", b"umbel.held.", b"umbel.later.celery", b"umbel.soonest.celery", b"umbel.revoked"}
    more: set[bytes] = set()

    def was_there() -> bool:
        """True once each kind of key has been seen: some of them pass within a second."""
        more.update(keys() - before)
        return {re.sub(rb"(meta-|held\.).*", rb"\1", key) for key in more} >= left

    with made.worker(*options):
        assert made.app.send_task("proj.add", (1, 2)).get(timeout=patience()) == 3
        until(lambda: b"celery-task-meta" not in b" ".join(keys()))
        before = keys()
        assert {b"umbel.owners", b"umbel.intakes", b"umbel.queues", b"_kombu.binding.celery"} < before

        for name in ("hold", "early"):
            made.app.send_task(f"proj.{name}")
        until(lambda: len(made.effects()) == 2)
        with made.app.batch():
            for number in range(20):
                made.app.send_task("proj.add", (1, number), countdown=1 + number / 10, priority=number % 10)
        made.app.control.revoke([made.app.send_task("proj.add", (1, 1)).id, "never sent"])
        until(was_there, saying=lambda: sorted(more))
        waiting = subprocess.Popen(
            [sys.executable, "-c", WAITING], cwd=made.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert waiting.stdout.readline() == b"waits\n"
        until(lambda: server.ask("PUBSUB", "CHANNELS").count(b"never") == 16)
        waiting.kill()
        waiting.communicate()
    assert b"umbel.held" in b" ".join(keys() - before), "what the killed worker held"
    (made.folder / "gate").touch()
    with made.worker(*options):
        until(lambda: keys() == before, saying=lambda: keys() ^ before)
        assert server.ask("PUBSUB", "CHANNELS", "celery-task-meta*") == b"*0\r\n"


def test_a_worker_that_starts_before_its_server_waits_for_it(project, tmp_path):
    port = free_port()
    made = project(TASKS, store=f"redis://127.0.0.1:{port}/0")
    worker = made.start("-c", "1")
    try:
        until(lambda: "cannot be reached" in worker.log)
        with running(tmp_path / "late", port=port):
            made.app.send_task("proj.nap", (7,))
            until(made.effects)
            made.app.close()
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 0
        assert worker.log.count("Cannot begin") == worker.log.count("The store is there") == 1
    finally:
        worker.kill_all()


def test_a_worker_that_waits_for_its_server_can_be_stopped(project):
    worker = project(TASKS, store=f"redis://127.0.0.1:{free_port()}/0").start("-c", "1")
    try:
        until(lambda: "Cannot begin" in worker.log)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    finally:
        worker.kill_all()


def test_a_worker_that_is_not_to_wait_at_its_start_says_what_is_away(project):
    tasks = "app.conf.broker_connection_retry_on_startup = False\n" + TASKS
    worker = project(tasks, store=f"redis://127.0.0.1:{free_port()}/0").start("-c", "1")
    try:
        assert worker.wait() == 1
        assert re.search(r"^umbel: redis://127.0.0.1:\d+/0 cannot be reached: .*refused$", worker.log, re.MULTILINE), worker.log
        assert "Traceback" not in worker.log
    finally:
        worker.kill_all()


def test_workers_share_what_comes_and_no_queue_waits_for_another(project, server, url):
    """The second queue gets its messages behind those of the first, which keep both workers busy for seconds."""
    made = project(TASKS, store=url)
    options = ("-c", "2", "-Q", "full,other")
    with made.worker(*options), made.worker(*options):
        with made.app.batch():
            for queue, count in (("full", 400), ("other", 40)):
                for number in range(count):
                    made.app.send_task("proj.nap", (f"{queue}{number}",), queue=queue)
        until(lambda: len(made.effects()) == 440)
    order = [name.rstrip("0123456789") for _, name in made.effects()]
    assert order[:150].count("other") == 40
    shares = Counter(worker for worker, _ in made.effects())
    assert len(shares) == 2
    assert min(shares.values()) > 440 // 5, shares
