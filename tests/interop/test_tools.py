"""Each system's own tools see what the other has put into the queues."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.interop.fleet import Agent, Fleet

from umbel.testing.waiting import until

COUNTED = "tuple(app.connection_for_read().channel().queue_declare('counted', passive=True))"


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet()


@pytest.fixture(scope="module")
def celery(fleet: Fleet) -> Agent:
    return fleet.agent("celery")


@pytest.fixture(scope="module")
def umbel(fleet: Fleet) -> Agent:
    return fleet.agent("umbel")


def test_kombu_counts_what_umbel_sent(celery: Agent, umbel: Agent) -> None:
    umbel.ask("[shop.add.apply_async((1, 1), queue='counted') for _ in range(3)] and None")
    assert celery.ask(COUNTED) == ("counted", 3, 0)


def test_celery_purges_what_umbel_sent(fleet: Fleet, umbel: Agent) -> None:
    umbel.ask("[shop.add.apply_async((1, 1), queue='purged') for _ in range(3)] and None")
    told = fleet.run("celery", "purge", "-f", "-Q", "purged")
    assert "Purged 3 messages from 1 known task queue" in told.stdout
    assert umbel.ask("app.broker.depth(['purged'])['purged'].ready") == 0


def test_celery_shows_a_result_that_umbel_wrote(fleet: Fleet, umbel: Agent) -> None:
    umbel.ask("shop.echo.update_state(task_id='shown', state='SUCCESS', meta='from umbel')")
    assert fleet.run("celery", "result", "shown").stdout.strip() == "from umbel"


def test_celery_calls_and_umbel_shows(fleet: Fleet) -> None:
    id_ = fleet.run("celery", "call", "shop.add", "-a", "[1, 2]", "--queue", "called").stdout.strip()
    worker = fleet.start("umbel", "-Q", "called", "-c", "1")
    fleet.ready(worker)
    assert fleet.run("umbel", "result", id_, "--wait", "60").stdout.strip() == "3"


def test_umbel_shows_queues_that_only_celery_has_used(fleet: Fleet, celery: Agent) -> None:
    celery.ask("[shop.add.apply_async((1, 1), queue='theirs alone', priority=each) for each in (0, 3, 9)] and None")
    depths = json.loads(fleet.run("umbel", "queues", "--json").stdout)
    assert depths["theirs alone"]["ready"] == 3
    assert not [name for name in depths if "pidbox" in name or "celeryev" in name]


def test_umbel_purges_what_celery_sent(fleet: Fleet, celery: Agent) -> None:
    celery.ask("[shop.add.apply_async((1, 1), queue='emptied', priority=each) for each in (0, 3, 9)] and None")
    assert "deleted 3 tasks from emptied" in fleet.run("umbel", "purge", "-f", "-Q", "emptied").stdout
    assert "No messages" in fleet.run("celery", "purge", "-f", "-Q", "emptied").stdout


@pytest.mark.parametrize("worker", ["umbel", "celery"])
def test_priorities_are_served_as_celery_has_them(fleet: Fleet, celery: Agent, worker: str) -> None:
    queue = f"sorted by {worker}"
    celery.ask(
        f"[shop.write.apply_async(({queue!r}, each), queue={queue!r}, priority=each) for each in (9, 6, 0, 3, 5, 0)] and None"
    )
    fleet.start(worker, "-Q", queue, "-c", "1")
    assert order(fleet, queue) == ["0", "0", "3", "5", "6", "9"]


def test_umbels_priorities_do_not_hide_a_message_from_celery(fleet: Fleet, umbel: Agent) -> None:
    umbel.ask("[shop.write.apply_async(('mixed', each), queue='mixed', priority=each) for each in (9, 0, 5)] and None")
    fleet.start("celery", "-Q", "mixed", "-c", "1")
    assert order(fleet, "mixed", 3) == ["9", "0", "5"]


def order(fleet: Fleet, queue: str, count: int = 6) -> list[str]:
    """The priorities of what was run, in the order of the runs."""
    words = len(queue.split())

    def ran() -> list[str]:
        return [line[words] for line in fleet.effects() if line[:words] == queue.split()]

    until(lambda: len(ran()) == count)
    return ran()
