"""Workers, their children and senders are killed at random moments under load: nothing accepted is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.chaos.arena import MOVING, TASKS, arena, new_seed
from tests.chaos.outages import DURABLE
from tests.chaos.runs import jumps, kills, stalls
from tests.chaos.table import Table
from tests.servers.redis import running
from tests.trips.conftest import project as project
from tests.trips.project import Project

LEASE = 1.0
CARELESS = """
from umbel.stores.broker import Conclusion
from umbel.stores.sqlite.broker import SqliteBroker

reserve = SqliteBroker.reserve

def careless(self, queues, limit, wait):
    deliveries = reserve(self, queues, limit, wait)
    self.conclude([Conclusion(delivery) for delivery in deliveries])
    return deliveries

SqliteBroker.reserve = careless
"""
"""Acknowledges what it gets before it has run."""
GENEROUS = """
def generous(self, queues, limit, wait, reserve=Store.reserve):
    deliveries = reserve(self, queues, limit, wait)
    self.send([each.envelope for each in deliveries if b"proj.late" in each.envelope.headers and random.random() < 0.1])
    return deliveries

Store.reserve = generous
"""
"""A store that hands out to others, too, what a worker that lives holds."""


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """The URL of a store; none for the project's own file."""
    if request.param == "sqlite":
        yield None
        return
    with running(tmp_path / "server", *DURABLE) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


def test_nothing_is_lost_when_processes_are_killed(project: Callable[..., Project], store: str | None) -> None:
    table = Table()
    with arena(project(TASKS, lease=LEASE, store=store), new_seed(), workers=4) as here:
        kills(here, 30, table)
    print(table)


def test_nothing_is_lost_when_workers_stand_still(project: Callable[..., Project], store: str | None) -> None:
    table = Table()
    with arena(project(TASKS, lease=LEASE, store=store), new_seed(), workers=2) as here:
        stalls(here, 4, table)
    print(table)


def test_nothing_is_lost_when_the_clock_jumps(project: Callable[..., Project]) -> None:
    table = Table()
    with arena(project(MOVING + TASKS, lease=LEASE), new_seed(), workers=2) as here:
        jumps(here, 6, table)
    print(table)


def test_a_store_that_hands_out_twice_is_caught(project: Callable[..., Project], store: str | None) -> None:
    with (
        arena(project(TASKS + GENEROUS, lease=LEASE, store=store), new_seed(), workers=2) as here,
        pytest.raises(AssertionError, match=r"'duplicated': \['"),
    ):
        stalls(here, 2, Table())


def test_a_worker_that_acknowledges_too_early_is_caught(project: Callable[..., Project]) -> None:
    with (
        arena(project(TASKS + CARELESS, lease=LEASE), new_seed(), workers=2) as here,
        pytest.raises(AssertionError, match=r"'lost': \['"),
    ):
        kills(here, 15, Table())
