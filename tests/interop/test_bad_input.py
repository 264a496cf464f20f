"""What strangers put into the lists: each is buried with the reason, told where an id is known, and the worker goes on."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import redis
from tests.interop.fleet import Agent, Fleet
from tests.servers.redis import RedisServer
from tests.trips.project import Worker

from umbel.testing.waiting import patience, until

MEGABYTE = 1 << 20
CALL = b"[[1, 2], {}, {}]"


class Bench:
    """A worker of umbel's, a client, and a hand that puts anything into its list."""

    def __init__(self, fleet: Fleet, server: RedisServer):
        self.fleet = fleet
        self.redis = redis.Redis(port=server.port, db=fleet.db, socket_timeout=patience())
        self.worker: Worker = fleet.start("umbel", "-Q", "bad", "-c", "1")
        self.agent: Agent = fleet.agent("umbel")
        fleet.ready(self.worker)

    def push(self, element: bytes) -> None:
        self.redis.lpush("bad", element)

    def serves(self) -> bool:
        return bool(self.agent.ask("shop.add.apply_async((1, 2), queue='bad').get(timeout=patience)") == 3)

    def dead(self, *words: str) -> str:
        ended = self.fleet.run("umbel", "dead", *words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def letters(self) -> list[dict[str, str]]:
        """The dead."""
        code = "[{'key': x.key, 'queue': x.queue, 'id': x.envelope.id, 'reason': x.reason} for x in app.broker.buried()]"
        found: list[dict[str, str]] = self.agent.ask(code)
        return found

    def state(self, id_: str) -> str:
        """The state of a task, once it has ended."""
        return str(self.agent.ask(f"told(app.AsyncResult({id_!r}))['state']"))

    def memory(self) -> int:
        """What all processes of the worker hold, in bytes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.worker.family())


@pytest.fixture(scope="module")
def bench(make_fleet: Callable[..., Fleet], redis_server: RedisServer) -> Iterator[Bench]:
    bench = Bench(make_fleet(ACCEPT="json"), redis_server)
    yield bench
    bench.redis.close()


@pytest.fixture(autouse=True)
def empty(bench: Bench) -> Iterator[None]:
    yield
    bench.agent.ask("app.broker.discard([letter.key for letter in app.broker.buried()])")


def element(id_: Any = "an-id", body: bytes | str = CALL, *, headers: Any = None, **parts: Any) -> bytes:
    """A message as Celery's clients put it into the list, with some parts replaced."""
    properties = {"correlation_id": id_, "reply_to": "r", "delivery_mode": 2, "priority": 0, "body_encoding": "base64"}
    properties |= {"delivery_info": {"exchange": "", "routing_key": "bad"}, "delivery_tag": "tag", **parts.pop("properties", {})}
    whole = {
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "shop.add", "id": id_, **(headers or {})},
        "properties": properties,
    }
    return json.dumps({**whole, **parts}).encode()


def without(element: bytes, name: str) -> bytes:
    whole = json.loads(element)
    del whole[name]
    return json.dumps(whole).encode()


NO_MESSAGE = {
    "no JSON": (b"hello", "no message"),
    "bytes": (b"\x80\x04\x95\x00\xff", "no message"),
    "empty": (b"", "no message"),
    "a number": (b"5", "no message"),
    "an array": (b'["a", "b"]', "no message"),
    "half a message": (element()[:-40], "no message"),
    "another's JSON": (
        b'{"queue": "bad", "class": "Mailer", "args": [1], "jid": "a1", "retry": true}',
        "no message: it has no 'properties'",
    ),
    "no headers": (without(element(), "headers"), "'headers'"),
    "no properties": (without(element(), "properties"), "'properties'"),
    "no content type": (without(element(), "content-type"), "'content-type'"),
    "wrong base64": (element(body="no base64!"), "no message"),
    "an id that is no text": (element(5), "id"),
}
MESSAGE = {
    "no task": (element(headers={"task": None}), "task"),
    "pickle": (
        element(body=pickle.dumps(((), {}, {})), **{"content-type": "application/x-python-serialize"}),
        "add 'pickle' to accept",
    ),
    "pickle that says it is JSON": (element(body=pickle.dumps(((), {}, {}))), "are no json"),
    "an unknown content type": (element(**{"content-type": "text/odd"}), "'text/odd' is not known"),
    "an unknown encoding": (element(**{"content-encoding": "klingon"}), "'klingon' is not known"),
    "a text in another encoding than it says": (element(body='[["é"], {}, {}]'.encode("latin-1")), "are no json"),
    "an unknown compression": (element(headers={"compression": "application/x-odd"}), "application/x-odd"),
    "compressed otherwise than it says": (element(body=b"not zlib", headers={"compression": "application/x-gzip"}), "gzip"),
    "a body of two": (element(body=b"[[], {}]"), "no [args, kwargs, embed]"),
    "a body that is text": (element(body=b'"text"'), "no [args, kwargs, embed]"),
    "arguments that are no array": (element(body=b"[1, {}, {}]"), "no array"),
    "keywords that are no object": (element(body=b"[[], [1], {}]"), "no object"),
    "callbacks that are no signatures": (element(body=b'[[1, 2], {}, {"callbacks": [5]}]'), "no signature"),
    "a time that is none": (element(headers={"eta": "tomorrow"}), "'tomorrow' is no time"),
    "retries that are no number": (element(headers={"retries": "many"}), "retries"),
    "an unknown typed value": (element(body=b'[[{"__type__": "odd", "__value__": 1}, 2], {}, {}]'), "unknown type 'odd'"),
}


@pytest.mark.parametrize("name", NO_MESSAGE)
def test_what_is_no_message_is_buried(bench: Bench, name: str) -> None:
    given, reason = NO_MESSAGE[name]
    bench.push(given)
    assert bench.serves()
    (letter,) = bench.letters()
    assert reason in letter["reason"]
    assert letter["queue"] == "bad"
    assert "\n" not in letter["reason"]
    assert len(letter["reason"]) < 500


@pytest.mark.parametrize("name", MESSAGE)
def test_a_message_that_cannot_be_read_is_buried_and_told(bench: Bench, name: str) -> None:
    given, reason = MESSAGE[name]
    id_ = f"id of {name}"
    bench.push(given.replace(b'"an-id"', json.dumps(id_).encode()))
    assert bench.state(id_) == "FAILURE"
    assert bench.serves()
    (letter,) = bench.letters()
    assert reason in letter["reason"]
    assert letter["id"] == id_
    assert "\n" not in letter["reason"]
    assert len(letter["reason"]) < 1200


@pytest.mark.parametrize("priority", [-5, 2**40, "high", None, 1.5])
def test_a_priority_that_is_none_does_no_harm(bench: Bench, priority: Any) -> None:
    bench.push(element(f"priority {priority}", properties={"priority": priority}))
    assert bench.state(f"priority {priority}") == "SUCCESS"


def test_the_dead_are_shown_sent_again_and_dropped(bench: Bench) -> None:
    bench.push(b"garbage " * 10_000)
    bench.push(element("mine", **{"content-type": "text/odd"}))
    assert bench.state("mine") == "FAILURE"
    assert bench.serves()
    listed = bench.dead("list").splitlines()
    assert len(listed) == 3  # a head, and a line for each
    assert max(map(len, listed)) < 500
    first, second = bench.letters()
    shown = bench.dead("show", first["key"])
    assert "garbage" in shown
    assert len(shown) < 5000
    assert json.loads(bench.dead("show", "mine"))["unreadable"].startswith("the content type 'text/odd' is not known")
    assert "sent 2 tasks again" in bench.dead("retry", first["key"], second["key"])
    until(lambda: len(bench.letters()) == 2)
    assert {letter["key"] for letter in bench.letters()}.isdisjoint({first["key"], second["key"]})
    assert "deleted 2 tasks" in bench.dead("drop", "--all", "--force")
    assert bench.letters() == []


@pytest.mark.parametrize("kind", ["garbage", "a message"])
def test_a_hundred_megabytes_are_buried_and_forgotten(bench: Bench, kind: str) -> None:
    assert bench.serves()
    before = bench.memory()
    bench.push(b"x" * 100 * MEGABYTE if kind == "garbage" else element("huge", body=b"[" * (75 * MEGABYTE)))
    assert bench.serves()
    until(lambda: bench.redis.hget("umbel.dead.count", "bad") == b"1")
    (line,) = bench.dead("list").splitlines()[1:]
    assert len(line) < 500
    until(lambda: bench.memory() < before + 50 * MEGABYTE, saying=lambda: f"{(bench.memory() - before) // MEGABYTE} MB more")
