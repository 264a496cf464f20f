"""Events of both systems on one Redis: fields, order and values alike, and each one's tools see the other's workers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.fleet import Fleet, python_of
from tests.programs.nursery import Process, end, nursery

from umbel import Umbel
from umbel.testing.waiting import patience, until

CALLS = """
    from datetime import timedelta
    {
        "add": shop.add.apply_async((1, 2), queue=QUEUE).id,
        "linked": shop.add.apply_async((1, 2), link=shop.add.s(3).set(queue=QUEUE), queue=QUEUE).id,
        "refuse": shop.refuse.apply_async(("text", 7), queue=QUEUE).id,
        "retried": shop.try_again.apply_async(queue=QUEUE).id,
        "rejected": shop.decline.apply_async(queue=QUEUE).id,
        "ignored": shop.ignored.apply_async(queue=QUEUE).id,
        "expired": shop.add.apply_async((1, 2), expires=-1, queue=QUEUE).id,
        "shown": shop.echo.apply_async(("é" * 20,), shadow="shown", queue=QUEUE).id,
        "own": shop.tell.apply_async(queue=QUEUE).id,
    }
"""
ENDS = {
    "add": ["sent", "received", "started", "succeeded"],
    "linked": ["sent", "received", "started", "succeeded"],
    "refuse": ["sent", "received", "started", "failed"],
    "retried": ["sent", "received", "started", "retried", "sent", "received", "started", "failed"],
    "rejected": ["sent", "received", "started", "failed", "rejected"],
    "ignored": ["sent", "received", "started"],
    "expired": ["sent", "revoked"],
    "shown": ["sent", "received", "started", "succeeded"],
    "own": ["sent", "received", "started", "progress", "succeeded"],
}
OF_OTHERS = ("task-sent", "task-progress")
"""Told by clients, and by tasks in their own process."""
VARIES = {"hostname", "pid", "clock", "timestamp", "local_received", "uuid", "root_id", "parent_id"}
VARIES |= {
    "eta",
    "expires",
    "runtime",
    "traceback",
    "loadavg",
    "sw_ident",
    "sw_ver",
    "active",
    "processed",
    "queue",
    "routing_key",
}


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet(SENT_EVENTS="1")


@pytest.fixture(scope="module")
def heard(fleet: Fleet) -> Iterator[list[dict[str, Any]]]:
    """All events of the fleet, as umbel receives them."""
    events: list[dict[str, Any]] = []
    with Umbel("watcher", broker=fleet.broker, set_as_current=False) as app:
        receiver = app.events.Receiver(handlers={"*": events.append})
        receiver.open()
        thread = threading.Thread(target=receiver.capture)
        thread.start()
        yield events
        receiver.stop()
        thread.join(patience())


@pytest.fixture(scope="module")
def dumps(fleet: Fleet) -> Iterator[dict[str, Process]]:
    """`events --dump` of both systems, which run all the while."""
    started = {}
    for system in ("celery", "umbel"):
        command = [python_of(system), "-m", system, "-A", "shop", "events", "--dump"]
        with (fleet.folder / f"dump-{system}.log").open("w") as log:
            started[system] = nursery(Path(command[0])).start(command, cwd=fleet.folder, env=fleet.env(system), stdout=log)
    yield started
    for process in started.values():
        end(process)


@pytest.fixture(scope="module")
def told(fleet: Fleet, heard: list[dict[str, Any]], dumps: object) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What workers of each system have told of the same calls, by call, in the order in which it happened."""
    workers = {system: fleet.start(system, "-E", "-c", "1", "-Q", f"of-{system}", quiet=False) for system in ("celery", "umbel")}
    fleet.ready(*workers.values())
    found = {}
    for system in workers:
        ids = fleet.agent(system).ask(CALLS.replace("QUEUE", f"'of-{system}'"))

        def of(name: str, ids: dict[str, str] = ids) -> list[dict[str, Any]]:
            return sorted((each for each in list(heard) if each.get("uuid") == ids[name]), key=lambda each: each["timestamp"])

        until(lambda of=of: all(len(of(name)) >= len(ends) for name, ends in ENDS.items()))
        found[system] = {name: of(name) for name in ENDS}
    for system in workers:  # the first one comes after 2 s
        until(lambda system=system: any(is_of(system, "worker-heartbeat", each) for each in list(heard)))
    for worker in workers.values():
        worker.signal(signal.SIGTERM)
    until(lambda: sum(each["type"] == "worker-offline" for each in heard) == 2)
    return found


def is_of(system: str, type_: str, event: dict[str, Any]) -> bool:
    """Heartbeats that somebody has asked for do not count: Celery tells less in them."""
    return event["type"] == type_ and event["hostname"].startswith(system) and "active" in event


@pytest.mark.parametrize("name", ENDS)
def test_both_tell_the_same_of_a_call(told: dict[str, dict[str, list[dict[str, Any]]]], name: str) -> None:
    ours, theirs = told["umbel"][name], told["celery"][name]
    assert sorted(each["type"] for each in ours) == sorted(f"task-{end}" for end in ENDS[name])
    assert sorted(each["type"] for each in ours) == sorted(each["type"] for each in theirs)
    for mine in ours:
        alike = [{**each, **dict.fromkeys(VARIES & each.keys())} for each in theirs if each["type"] == mine["type"]]
        assert {**mine, **dict.fromkeys(VARIES & mine.keys())} in alike


def test_both_tell_the_same_of_themselves(told: object, heard: list[dict[str, Any]]) -> None:
    for type_ in ("worker-online", "worker-heartbeat", "worker-offline"):
        ours, theirs = (next(each for each in heard if is_of(system, type_, each)) for system in ("umbel", "celery"))
        assert ours.keys() == theirs.keys()
        assert (ours["freq"], ours["sw_sys"], ours["sw_ident"]) == (theirs["freq"], theirs["sw_sys"], "py-umbel")


def test_celerys_worker_takes_umbels_for_one_of_its_own(told: object, fleet: Fleet) -> None:
    log = next(worker.log for worker in fleet.workers if "celery" in worker.logfile.name)
    assert "missed heartbeat" not in log
    assert "CRITICAL" not in log
    assert not [line for line in log.splitlines() if ": ERROR/" in line and "Task shop." not in line]


def test_each_ones_tool_prints_what_both_have_told(told: object, fleet: Fleet, heard: list[dict[str, Any]]) -> None:
    for system in ("celery", "umbel"):
        log = fleet.folder / f"dump-{system}.log"
        until(lambda log=log: log.read_text().count("shutdown: ") == 2)
        lines = log.read_text()
        assert lines.count("task succeeded: shop.add(") == 6
        assert "Traceback (most recent call last):" in lines  # the tasks' own
        assert "progress: " in lines


def test_events_stay_in_order_by_their_clocks(told: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    for events in told["umbel"].values():
        of_worker = [each["clock"] for each in events if each["hostname"].startswith("umbel") and each["type"] not in OF_OTHERS]
        assert of_worker == sorted(of_worker)
