"""What a worker tells of itself and of its tasks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from umbel import Ignore, Reject, Umbel, chain
from umbel.testing.waiting import NEVER, patience, until
from umbel.worker.worker import Worker


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Umbel]:
    with Umbel(request.node.name, broker=f"memory://{request.node.name}") as app:
        yield app


@pytest.fixture
def heard(app: Umbel) -> Iterator[list[dict[str, Any]]]:
    """All events, as they come."""
    events: list[dict[str, Any]] = []
    receiver = app.events.Receiver(handlers={"*": events.append})
    receiver.open()
    thread = threading.Thread(target=lambda: receiver.capture(wakeup=False))
    thread.start()
    yield events
    receiver.stop()
    thread.join(patience())


@pytest.fixture
def begin(app: Umbel) -> Iterator[Callable[..., Worker]]:
    """Starts a worker in a thread, and waits until it is ready; at the end all have stopped."""
    begun: list[tuple[Worker, threading.Thread]] = []

    def start(**options: Any) -> Worker:
        ready = threading.Event()
        options = {"pool": "solo", "heartbeat": NEVER, **options}
        worker = Worker(app, hostname="w@h", ready=lambda _: ready.set(), **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        begun.append((worker, thread))
        assert ready.wait(patience())
        return worker

    yield start
    for worker, thread in begun:
        worker.stop()
        thread.join(patience())
        assert not thread.is_alive()


def of(heard: list[dict[str, Any]], id: str) -> list[str]:
    """What was told of a task, in order."""
    return [event["type"].removeprefix("task-") for event in heard if event.get("uuid") == id]


def test_it_says_hello_and_goodbye_and_that_it_is_there(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    worker = begin(heartbeat=0.05)
    until(lambda: [event["type"] for event in heard][:3] == ["worker-online", "worker-heartbeat", "worker-heartbeat"])
    worker.stop()
    until(lambda: heard[-1]["type"] == "worker-offline")
    assert {event["hostname"] for event in heard} == {"w@h"}
    first = heard[0]
    assert (first["freq"], first["active"], first["processed"], first["sw_ident"]) == (0.05, 0, 0, "py-umbel")
    assert len(first["loadavg"]) == 3
    clocks = [event["clock"] for event in heard]
    assert clocks == sorted(set(clocks))


def test_it_says_nothing_of_itself_if_told_so(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    begin(heartbeat=None).stop()
    app.events.of_node("me@here").send("last-word")
    until(lambda: heard)
    assert [event["type"] for event in heard] == ["last-word"]


def test_it_tells_of_tasks_only_while_somebody_wants_that(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    @app.task
    def double(x: int) -> int:
        return 2 * x

    worker = begin()
    seconds = patience()
    for told in (False, True, False):
        (worker.events.on if told else worker.events.off)()
        result = double.delay(2)
        assert result.get(timeout=seconds) == 4
        if told:
            until(lambda result=result: of(heard, result.id) == ["received", "started", "succeeded"])
            received, started, succeeded = (event for event in heard if event.get("uuid") == result.id)
    assert len([event for event in heard if "uuid" in event]) == 3
    assert (received["name"], received["args"], received["kwargs"], received["retries"]) == (double.name, "(2,)", "{}", 0)
    assert (succeeded["result"], succeeded["clock"] > started["clock"] > received["clock"]) == ("4", True)
    assert started["timestamp"] <= succeeded["timestamp"]


def test_each_end_of_a_task_is_told(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    @app.task
    def fail() -> None:
        raise ValueError("no")

    @app.task(bind=True, max_retries=1)
    def again(self: Any) -> None:
        raise self.retry(exc=KeyError("k"), countdown=0)

    @app.task
    def reject() -> None:
        raise Reject("no")

    @app.task
    def ignore() -> None:
        raise Ignore

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(send_events=False)
    def secret() -> None:
        pass

    begin(task_events=True)
    secret.delay()
    ends = {
        fail.delay().id: ["received", "started", "failed"],
        again.delay().id: ["received", "started", "retried", "received", "started", "failed"],
        reject.delay().id: ["received", "started", "failed", "rejected"],
        ignore.delay().id: ["received", "started"],
        add.apply_async((1, 2), expires=-1).id: ["revoked"],
        app.send_task(add.name, ("too few",)).id: ["received", "failed"],
    }
    until(lambda: {id: of(heard, id) for id in ends} == ends)
    told = {event["type"]: event for event in heard}
    assert told["task-retried"]["exception"] == "KeyError('k')"
    assert told["task-revoked"]["expired"] is True
    assert told["task-rejected"]["requeue"] is False
    exceptions = {event["exception"].partition("(")[0] for event in heard if event["type"] == "task-failed"}
    assert exceptions == {"ValueError", "TypeError", "KeyError", "reject requeue=False: no"}
    assert not [event for event in heard if event.get("name") == secret.name]


def test_a_task_that_runs_for_long_is_told_as_started_while_it_runs(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    go_on = threading.Event()

    @app.task
    def wait() -> None:
        go_on.wait(patience())

    begin(task_events=True, pool="threads", concurrency=1)
    result = wait.delay()
    until(lambda: of(heard, result.id) == ["received", "started"])
    go_on.set()
    until(lambda: of(heard, result.id) == ["received", "started", "succeeded"])


def test_a_task_tells_events_of_its_own(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    @app.task(bind=True)
    def tell(self: Any) -> None:
        self.send_event("task-progress", done=3)
        self.send_event("my-own", uuid="other")

    begin()
    result = tell.delay()
    until(lambda: len(heard) == 3)
    own = [event for event in heard if "uuid" in event]
    assert [(event["type"], event["uuid"], event["hostname"]) for event in own] == [
        ("task-progress", result.id, "w@h"),
        ("my-own", "other", "w@h"),
    ]
    assert own[0]["done"] == 3


def test_what_follows_from_a_run_is_told_as_sent(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    app.conf.task_send_sent_event = True

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    begin()
    first = add.apply_async((1, 2), link=add.s(3))
    until(lambda: len(heard) == 3)
    sent, followed = (event for event in heard if event["type"] == "task-sent")
    assert sent["uuid"] == first.id
    assert (followed["args"], followed["parent_id"], followed["root_id"]) == (
        "(3, 3)",
        first.id,
        first.id,
    )


def test_what_workers_tell_each_other_is_not_told_as_sent(
    app: Umbel, heard: list[dict[str, Any]], begin: Callable[..., Worker]
) -> None:
    app.conf.task_send_sent_event = True

    @app.task(name="step")
    def step(text: str) -> None:
        pass

    begin(task_events=True)
    chain(*[step.si("x" * 1000) for _ in range(100)]).delay()
    until(lambda: sum(event["type"] == "task-succeeded" for event in heard) == 100, times=3)
    assert {event["name"] for event in heard if event["type"] == "task-sent"} == {"step"}


def test_who_asks_is_told_at_once_that_it_is_there(app: Umbel, heard: list[dict[str, Any]], begin) -> None:
    worker = begin()
    until(lambda: heard)
    worker._loop.call_soon_threadsafe(worker.events.beat)
    until(lambda: [event["type"] for event in heard] == ["worker-online", "worker-heartbeat"])
