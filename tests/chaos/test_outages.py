"""Redis and the network before it fail in every way under load: nothing is lost, nothing runs twice, work goes on at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.chaos.arena import TASKS, arena, new_seed
from tests.chaos.outages import OUTAGES, stage
from tests.chaos.runs import outages
from tests.chaos.table import Table
from tests.trips.conftest import project as project
from tests.trips.project import Project

from umbel.testing.waiting import factor


def test_nothing_is_lost_and_nothing_runs_twice_when_redis_goes_away(project: Callable[..., Project], tmp_path: Path) -> None:
    table = Table()
    with stage(tmp_path, longest=1.0) as there, arena(project(TASKS, store=there.url), new_seed(), workers=2) as here:
        kinds = list(OUTAGES)
        here.random.shuffle(kinds)
        outages(here, there, kinds, table)
    print(table)


def test_outages_longer_than_the_lease_take_nothing_from_living_workers(project: Callable[..., Project], tmp_path: Path) -> None:
    lease, kinds = min(3.0 * factor(), 10.0), ["refused", "SIGSTOP"]  # a busy machine takes its own time to ask for leases again
    table = Table()
    made = partial(project, TASKS, lease=lease)
    with (
        stage(tmp_path, shortest=1.5 * lease, longest=1.5 * lease) as there,
        arena(made(store=there.url), new_seed(), workers=2) as here,
    ):
        outages(here, there, kinds, table)
    print(table)
