"""Redis and the network before it fail in every way under load: nothing is lost, nothing runs twice, work goes on at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.chaos.arena import TASKS, arena, new_seed
from tests.chaos.outages import OUTAGES, stage
from tests.chaos.runs import outages
from tests.chaos.table import Table
from tests.trips.conftest import project as project
from tests.trips.project import Project


def test_nothing_is_lost_and_nothing_runs_twice_when_redis_goes_away(project: Callable[..., Project], tmp_path: Path) -> None:
    table = Table()
    with stage(tmp_path, longest=1.0) as there, arena(project(TASKS, store=there.url), new_seed(), workers=2) as here:
        kinds = list(OUTAGES)
        here.random.shuffle(kinds)
        outages(here, there, kinds, table)
    print(table)
