"""Records what real Celery writes: `python record.py` in an environment with celery, redis, msgpack and PyYAML.

Starts a private redis-server on a free port and workers of its own, ends both, and writes beside this file `messages.json`
(elements of Redis lists) and `results.json` (result documents, base64, in the order they were published).
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import uuid


def format_exception(kind, value, *_, **__):
    return ["Traceback (most recent call last):\n", *traceback.format_exception_only(kind, value)]


socket.gethostname = lambda: "host"  # before Celery asks for it: samples name no machine,
traceback.format_exception = format_exception  # and no paths

import celery  # noqa: E402
import redis  # noqa: E402
from celery import chain, chord, group  # noqa: E402

PORT = int(os.environ.get("RECORD_PORT", "0"))
SERIALIZER = os.environ.get("RECORD_RESULTS", "json")
HERE = pathlib.Path(__file__).parent

app = celery.Celery("proj", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(
    accept_content=["json", "pickle", "yaml", "msgpack"],
    result_serializer=SERIALIZER,
    task_track_started=True,
    worker_hijack_root_logger=False,
    result_extended=SERIALIZER == "yaml",  # one of the recordings with the extended document
)


class Trouble(Exception):
    """An exception of the user's."""


@app.task(name="proj.add")
def add(x, y):
    return x + y


@app.task(name="proj.echo")
def echo(*args, **kwargs):
    return [*args, kwargs]


@app.task(name="proj.total")
def total(numbers):
    return sum(numbers)


@app.task(name="proj.fail")
def fail(*args):
    raise Trouble(*args)


@app.task(name="proj.odd")
def odd():
    raise Trouble(object, {"a": 1}, {1, 2})


@app.task(name="proj.retry", bind=True)
def retry(self, x):
    raise self.retry(exc=ValueError("x"), countdown=300, queue="out", priority=3)


@app.task(name="proj.progress", bind=True)
def progress(self):
    self.update_state(state="PROGRESS", meta={"percent": 50})
    return "done"


@app.task(name="proj.slow")
def slow():
    time.sleep(60)


@app.task(name="proj.die")
def die():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="proj.more", bind=True)
def more(self, x):
    add.apply_async((x, 1), queue="out")
    return x


VALUES = {
    "datetime": datetime.datetime(2024, 5, 6, 7, 8, 9, 123456),
    "aware": datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC),
    "date": datetime.date(2024, 5, 6),
    "time": datetime.time(7, 8, 9),
    "decimal": decimal.Decimal("1.50"),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "text_bytes": b"text",
    "bytes": b"\xff\xfe\x00",
    "nan": float("nan"),
    "infinity": float("-inf"),
    "big": 10**30,
    "unicode": "é \U0001f600 \ud800",
    "tuple": (1, (2, 3)),
    "numbered": {1: "a", None: "b"},
}
LONG = "word " * 200


def calls():
    """What to send, by name."""
    eta = datetime.datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    yield "plain", lambda: add.delay(2, 3)
    yield "kwargs", lambda: add.delay(x=2, y="é")
    yield "countdown", lambda: add.apply_async((2, 3), countdown=3600)
    yield "eta", lambda: add.apply_async((2, 3), eta=eta)
    yield "eta_naive", lambda: add.apply_async((2, 3), eta=eta.replace(tzinfo=None))
    yield "expires", lambda: add.apply_async((2, 3), expires=3600)
    yield (
        "options",
        lambda: add.apply_async((2, 3), task_id="my-id", time_limit=30, soft_time_limit=20, shadow="other", priority=5),
    )
    yield "custom_headers", lambda: add.apply_async((2, 3), headers={"x-custom": "v", "x-when": eta, "x-deep": {"a": [1, None]}})
    yield "links", lambda: add.apply_async((2, 3), link=add.s(10), link_error=[echo.s(), echo.si(1)])
    yield "chain", lambda: chain(add.s(1, 2), add.s(3), add.s(4)).apply_async()
    yield "group", lambda: group(add.s(1, 2), add.s(3, 4)).apply_async()
    yield "chord", lambda: chord([add.s(1, 2), add.s(3, 4)])(total.s())
    yield "stamped", lambda: add.s(1, 2).apply_async(stamped_headers=["foo", "many"], foo="bar", many=["a", "b"])
    yield "values", lambda: echo.apply_async((VALUES,))
    yield "unregistered", lambda: app.send_task("other.task", (1,), {"a": 2})
    for name in ("json", "pickle", "yaml", "msgpack"):
        yield f"serializer_{name}", lambda name=name: echo.apply_async((2, "é", [1.5, None]), {"a": True}, serializer=name)
    for name in ("gzip", "bzip2", "lzma"):
        yield f"compression_{name}", lambda name=name: echo.apply_async((LONG,), compression=name)
    yield "protocol_1", lambda: send_v1((2, 3), {})
    yield "protocol_1_options", lambda: send_v1((2,), {"y": 3}, countdown=3600, link=add.s(10), time_limit=30, soft_time_limit=20)


def send_v1(args, kwargs, **options):
    """Through an app of its own, since the protocol is chosen once per app."""
    old = celery.Celery("proj", broker=app.conf.broker_url, set_as_current=False)
    old.conf.task_protocol = 1
    old.task(add.run, name="proj.add").apply_async(args, kwargs, **options)


def take(store, queue):
    """All elements of all priorities of a queue, oldest first."""
    taken = []
    for key in store.keys(f"{queue}*"):
        if key.decode().split("\x06")[0] == queue:
            taken += [json.loads(element) for element in reversed(store.lrange(key, 0, -1))]
            store.delete(key)
    return taken


def messages(store):
    found = {}
    for name, send in calls():
        send()
        found[name] = take(store, "celery")
    return found


@contextlib.contextmanager
def worker(port, serializer):
    command = [sys.executable, __file__, "worker"]
    environment = {**os.environ, "RECORD_PORT": str(port), "RECORD_RESULTS": serializer, "C_FORCE_ROOT": "1"}
    process = subprocess.Popen(command, env=environment, cwd=tempfile.gettempdir())
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def results(store, port, serializer):
    """Documents by name of the call, as published, and what landed in the queue `out`."""
    app.conf.result_serializer = serializer
    sends = {
        "success": lambda: add.delay(2, 3),
        "failure": lambda: fail.delay("boom", 42),
        "odd_failure": lambda: odd.delay(),
        "progress": lambda: progress.delay(),
        "retry": lambda: retry.delay(1),
        "expired": lambda: add.apply_async((2, 3), expires=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)),
        "unregistered": lambda: app.send_task("other.task"),
        "children": lambda: more.delay(1),
        "chain": lambda: chain(add.s(1, 2), add.s(3)).apply_async(),
        "group": lambda: group(add.s(1, 2)).apply_async(),
        "values": lambda: echo.delay({k: v for k, v in VALUES.items() if k not in ("nan", "numbered")}),
    }
    if serializer == "json":
        sends["soft_limit"] = lambda: slow.apply_async(soft_time_limit=1)
        sends["hard_limit"] = lambda: slow.apply_async(time_limit=1)
        sends["lost"] = lambda: die.delay()
    if serializer != "pickle":
        sends.pop("unregistered")
    if serializer in ("msgpack", "yaml"):
        sends.pop("values")
    if serializer == "json":
        sends["unregistered"] = lambda: app.send_task("other.task")
    listener = store.pubsub()
    listener.psubscribe("celery-task-meta-*")
    found = {}
    with worker(port, serializer):
        for name, send in sends.items():
            sent = send()
            documents = []
            while (message := listener.get_message(timeout=2.5 if documents and name != "lost" else 12)) is not None:
                if message["type"] == "pmessage":
                    documents.append(base64.b64encode(message["data"]).decode())
            found[name] = {"id": getattr(sent, "id", None), "documents": documents}
    return found


def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--dir", tempfile.gettempdir()], stdout=subprocess.DEVNULL
    )
    try:
        app.conf.broker_url = f"redis://127.0.0.1:{port}/0"
        app.conf.result_backend = f"redis://127.0.0.1:{port}/1"
        store = redis.Redis(port=port)
        while True:
            with contextlib.suppress(redis.ConnectionError):
                store.ping()
                break
            time.sleep(0.05)
        letters = messages(store)
        told = {
            serializer: results(redis.Redis(port=port, db=1), port, serializer)
            for serializer in ("json", "pickle", "yaml", "msgpack")
        }
        letters["retry"] = [element for element in take(store, "out") if element["headers"]["task"] == "proj.retry"][:1]
    finally:
        server.terminate()
        server.wait(10)
    for name, found in (("messages", letters), ("results", told)):
        (HERE / f"{name}.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        app.worker_main(
            ["worker", "-n", "w1@host", "-c", "1", "-l", "WARNING", "--without-mingle", "--without-gossip", "--without-heartbeat"]
        )
    else:
        main()
