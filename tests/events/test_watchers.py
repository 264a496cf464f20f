"""Watchers that are slow, or dead, cost those who tell nothing, and Redis no more than it is told to spend."""

from __future__ import annotations

import base64
import json
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.redis import RedisServer, running

from umbel import Umbel
from umbel.events.sender import Waiting
from umbel.testing.waiting import patience, until

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    limit = ("--client-output-buffer-limit", f"pubsub {LIMIT} {LIMIT} 60")
    with running(tmp_path_factory.mktemp("redis"), *limit) as server:
        yield server


@pytest.fixture
def app(server: RedisServer) -> Iterator[Umbel]:
    with Umbel("watched", broker=f"redis://127.0.0.1:{server.port}/0", set_as_current=False) as app:
        yield app


def tell(app: Umbel, events: int, *, size: int = 500) -> int:
    """Tell of so many tasks; gives how many could not be told of."""
    sender = app.events.sender
    for start in range(0, events, 100):
        told = [
            {"type": "task-started", "hostname": "w@h", "uuid": str(n), "text": "x" * size} for n in range(start, start + 100)
        ]
        sender.send([Waiting("w@h", told, "task", several=True)])
        if start % 10_000 == 0:
            assert sender.flush(patience())
    assert sender.flush(patience())
    return sender.lost


def memory(server: RedisServer) -> int:
    """Bytes that wait in the server for all who listen."""
    clients = server.ask("CLIENT", "LIST", "TYPE", "pubsub").decode()
    return sum(int(word.removeprefix("omem=")) for word in clients.split() if word.startswith("omem="))


def test_one_that_never_reads_is_cut_off_and_nobody_else_notices(app: Umbel, server: RedisServer) -> None:
    deaf = socket.create_connection(("127.0.0.1", server.port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(b"PSUBSCRIBE /0.celeryev/*\r\n")
    until(lambda: b"/0.celeryev/*" in deaf.recv(4096))
    with app.events.Receiver() as receiver:
        heard: list[str] = []
        assert tell(app, 5_000) == 0
        until(lambda: heard.extend(event["uuid"] for event in receiver.receive(0.1)) or len(heard) == 5_000)
        assert heard == [str(number) for number in range(5_000)]
        for _ in range(20):  # what the system itself holds for the deaf one is full some time
            assert tell(app, 2_000) == 0
            until(lambda: not receiver.receive(0.05))
        until(lambda: memory(server) <= LIMIT)
    deaf.close()


def test_a_slow_one_is_told_that_it_has_lost_something_and_goes_on(app: Umbel, server: RedisServer) -> None:
    with app.events.Receiver() as receiver:
        assert tell(app, 30_000) == 0  # many times what the server keeps for it, and the system

        def hears_again() -> bool:
            app.events.of_node("w@h").send("task-last", uuid="last")
            return any(event["uuid"] == "last" for event in receiver.receive(0.1))

        until(hears_again)
        assert receiver.lost > 0


def test_while_the_server_is_away_events_are_dropped_and_nobody_waits(tmp_path: Path) -> None:
    with running(tmp_path) as server, Umbel("away", broker=f"redis://127.0.0.1:{server.port}/0", set_as_current=False) as app:
        assert tell(app, 100) == 0
        server.send(signal.SIGSTOP)
        sender = app.events.sender
        for number in range(60_000):
            sender.send([Waiting("w@h", {"type": "x", "number": number}, "x")])  # returns at once, or this takes days
        assert sender.lost >= 10_000
        server.send(signal.SIGCONT)
        assert sender.flush(patience())


def test_whatever_is_published_a_receiver_goes_on_and_says_so_once(
    app: Umbel, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    rand = random.Random(4)
    good = json.dumps({"type": "task-x", "hostname": "w@h", "uuid": "1"})
    with app.events.Receiver() as receiver:
        for number in range(300):
            body = (
                good
                if number % 2
                else json.dumps(rand.choice([None, 3, [], {}, [[]], {"type": 3}, {"type": "task-x"}, "x" * 99]))
            )
            envelope = {
                "body": base64.b64encode(body.encode()).decode(),
                "content-type": rand.choice(["application/json", "application/x-python-serialize", None, "x/y"]),
                "content-encoding": rand.choice(["utf-8", "binary", None, "nope"]),
                "headers": rand.choice([{}, {"hostname": 3}]),
                "properties": {"delivery_info": {"exchange": "celeryev", "routing_key": "x"}, "body_encoding": "base64"},
            }
            data = bytearray(json.dumps(envelope).encode())
            if number % 3 == 0:
                for _ in range(rand.randrange(4)):
                    data[rand.randrange(len(data))] = rand.randrange(256)
            server.ask("PUBLISH", "/0.celeryev/x", bytes(data))
        app.events.of_node("w@h").send("task-last", uuid="last")
        heard: list[str] = []
        until(lambda: heard.extend(event["uuid"] for event in receiver.receive(0.1)) or "last" in heard)
    assert set(heard) == {"1", "last"}
    assert len(caplog.records) < 10
