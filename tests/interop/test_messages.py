"""Every kind of call is made by Celery and by umbel; the messages in Redis are the same, and so is what overriding enters.

What differs by design is left out: where a message is from, urgency on the wire (the scales are opposite, see the Redis store),
`reply_to`, for which umbel has no use, and the name of its entry that each tick of umbel's bears.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
import socket
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.interop.fleet import PROJECT, QUIET, Fleet, python_of
from tests.programs.nursery import nursery

from umbel.testing.waiting import until

TICKS = ("a tick", "a hooked tick", "a stranger's tick")
STEP = 240
"""Seconds: times are compared as multiples of this, so that a busy machine makes no difference."""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Heard(NamedTuple):
    """What one system did: its messages by the root of the call, and the methods that were entered, in order."""

    messages: dict[str, list[Any]]
    hooks: list[str]


class Ear:
    """Hears each element that is pushed in one database of a Redis server, whoever does it.

    And what a worker of umbel's takes into its hands: a retry may come there at once if nothing else waits.
    """

    def __init__(self, port: int, db: int):
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._db = str(db)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"MONITOR\r\n")
        self._lines = self._socket.makefile("rb")
        assert self._lines.readline() == b"+OK\r\n"
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        for line in self._lines:
            db = line.split(b"[", 1)[-1].split(b" ", 1)[0].decode()
            words = [word.encode().decode("unicode_escape") for word in re.findall(r'"((?:[^"\\]|\\.)*)"', line.decode("latin1"))]
            if db != self._db or not words:
                continue
            if words[0].upper() in ("LPUSH", "RPUSH"):
                put = [(words[1], element) for element in words[2:]]
            elif words[0].upper() == "HSET" and words[1].startswith("umbel.held."):
                put = [(field.split(" ", 2)[2], element) for field, element in zip(words[2::2], words[3::2], strict=True)]
            else:
                continue
            self.heard += [(queue, json.loads(each)) for queue, each in put if each.startswith("{") and '"headers"' in each]

    def close(self) -> None:
        """Hear no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._lines.close()
        self._socket.close()


def heard(system: str, fleet: Fleet, port: int) -> Heard:
    """Everything made by that system: a client's calls, what a worker makes of them, and a beat's ticks."""
    ear, env, log = Ear(port, fleet.db), fleet.env(system), (fleet.folder / "log").open("ab")
    python = python_of(system)
    start = partial(nursery(Path(python)).start, cwd=fleet.folder, env=env, stdout=log)
    pool = ["-P", "solo", *QUIET] if system == "celery" else ["-c", "1"]
    beat = ["-s", str(fleet.folder / "schedule")] if system == "celery" else []
    programs = []
    try:
        assert start([python, str(PROJECT / "messages.py")]).wait() == 0
        programs.append(start([python, "-m", system, "-A", "messages", "worker", "-Q", "run", *pool]))
        until(lambda: ["last"] in fleet.effects())
        hooks = [" ".join(words) for words in fleet.effects()]
        programs.append(start([python, "-m", system, "-A", "messages", "beat", *beat]))
        until(lambda: set(TICKS) <= {element["headers"]["id"] for _, element in ear.heard})
    finally:
        for program in programs:
            program.terminate()
            program.wait()
        ear.close()
        log.close()
    messages = defaultdict(list)
    for queue, element in ear.heard:
        if element["headers"].get("redelivered"):
            continue  # what is not due comes back when a worker of Celery's ends
        message = told(queue, element)
        if message not in messages[element["headers"]["root_id"]]:  # beats go on
            messages[element["headers"]["root_id"]].append(message)
    return Heard(dict(messages), hooks)


def told(queue: str, element: dict[str, Any]) -> dict[str, Any]:
    """What is to be the same."""
    headers, properties = element["headers"], element["properties"]
    body = base64.b64decode(element["body"])
    call = json.loads(zlib.decompress(body) if headers.get("compression") else body)
    return {
        "queue": queue.partition("\x06\x16")[0],
        "headers": {name: same(name, value) for name, value in headers.items() if name not in _OURS},
        "properties": {name: same(name, properties[name]) for name in properties if name not in _ASIDE},
        "type": (element["content-type"], element["content-encoding"]),
        "body": same("body", call),
    }


_OURS = ("origin", "periodic_task_name")
_ASIDE = ("delivery_tag", "priority", "reply_to", "origin", "correlation_id")


def same(name: str, value: Any) -> Any:
    """The value, but ids that nobody chose as "id", times as steps from now, and without `reply_to` of signatures."""
    if isinstance(value, dict):
        return {key: same(key, each) for key, each in value.items() if key != "reply_to"}
    if isinstance(value, list):
        return [same("", each) for each in value]
    if name in ("eta", "expires") and isinstance(value, str):
        moment = datetime.datetime.fromisoformat(value)
        assert moment.tzinfo is not None
        return round((moment.timestamp() - time.time()) / STEP)
    if name == "expiration":
        return round(int(value) / 1000 / STEP)
    return "id" if isinstance(value, str) and UUID.fullmatch(value) else value


@pytest.fixture(scope="module")
def both(redis_server: Any, make_fleet: Callable[..., Fleet]) -> dict[str, Heard]:
    """What each of the two did."""
    return {system: heard(system, make_fleet(), redis_server.port) for system in ("celery", "umbel")}


def names() -> list[str]:
    """The calls, read from the project's text, as importing it needs a broker."""
    text = (PROJECT / "messages.py").read_text().partition("\nCALLS = {")[2]
    return re.findall(r'^    "(.+?)": lambda', text, re.MULTILINE)


@pytest.mark.parametrize("call", [*names(), *TICKS])
def test_the_messages_of_a_call_are_the_same(both: dict[str, Heard], call: str) -> None:
    root = {"a line": "root", "an automatic retry": "root"}.get(call, call)
    theirs, ours = (both[system].messages[root] for system in ("celery", "umbel"))
    if call in ("a route by name", "a call in a run"):  # which say what the task says as far as it is known here
        for message in (*theirs, *ours):
            message["headers"].pop("ignore_result")
    assert ours == theirs


def test_overriding_is_entered_in_the_same_order(both: dict[str, Heard]) -> None:
    assert both["umbel"].hooks == both["celery"].hooks
    assert len(both["celery"].hooks) > len(names()) + 20
