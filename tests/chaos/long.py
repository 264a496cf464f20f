"""The long form: many kills and outages, and a table of what became of the tasks. `make chaos` starts it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.chaos.arena import MOVING, TASKS, Arena, arena, new_seed
from tests.chaos.outages import DURABLE, OUTAGES, stage
from tests.chaos.runs import jumps, kills, outages, stalls
from tests.chaos.table import Table
from tests.chaos.test_beats import play as strike_beats
from tests.servers.redis import running
from tests.trips.project import Project

AT_ONCE = 100
"""Faults in one round: each round has new processes, and a seed of its own."""
LEASE = 1.0
"""Of workers that get killed, so that what they held comes back during the round."""
LONGEST = 8.0
"""Seconds of the longest outages."""

Round = Callable[[Path], None]


def main() -> int:
    """Run all rounds; 1 if any of them has found something wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="on Redis")
    parser.add_argument("--sqlite-kills", type=int, default=300)
    parser.add_argument("--outages", type=int, default=100, help="of Redis, and of the network before it")
    parser.add_argument("--beats", type=int, default=200, help="leading beats that are killed or paused, on SQLite and on Redis")
    parser.add_argument("--jumps", type=int, default=40, help="of the clock, on SQLite")
    parser.add_argument("--stalls", type=int, default=20, help="workers that stand still, on Redis")
    asked = parser.parse_args()
    table = Table()
    failed = 0
    for play in rounds(asked, table):
        folder = Path(tempfile.mkdtemp(prefix="umbel-chaos-"))
        try:
            play(folder)
        except AssertionError as error:
            failed += 1
            print(f"FAILED: {error}; what everybody wrote is in {folder}", flush=True)
        else:
            shutil.rmtree(folder)
    print(table)
    print("all is well" if not failed else f"{failed} rounds failed: UMBEL_CHAOS_SEED=… plays the same faults again")
    return int(failed > 0)


def rounds(asked: argparse.Namespace, table: Table) -> Iterator[Round]:
    """What to play one after the other, each in a folder of its own."""
    for count in parts(asked.sqlite_kills):
        yield partial(on_sqlite, partial(kills, count=count, table=table))
    for count in parts(asked.kills):
        yield partial(on_redis, 4, partial(kills, count=count, table=table))
    for count in parts(asked.jumps, 20):
        yield partial(on_sqlite, partial(jumps, count=count, table=table), tasks=MOVING + TASKS)
    for count in parts(asked.stalls):
        yield partial(on_redis, 2, partial(stalls, count=count, table=table))
    for count in parts(asked.beats):
        yield partial(beats, count=count)
    for count in parts(asked.outages, 2 * len(OUTAGES)):
        yield partial(away, count=count, table=table)


def parts(count: int, most: int = AT_ONCE) -> list[int]:
    """So many in all, at most so many in each."""
    return [min(most, count - start) for start in range(0, count, most)]


def on_sqlite(play: Callable[[Arena], None], folder: Path, tasks: str = TASKS) -> None:
    """A round with a file as the store."""
    with entered(Project(folder, tasks, lease=LEASE), 4) as here:
        play(here)


def on_redis(workers: int, play: Callable[[Arena], None], folder: Path) -> None:
    """A round with a server that is left in peace."""
    with running(folder / "server", *DURABLE) as server:
        project = Project(folder, TASKS, lease=LEASE, store=f"redis://127.0.0.1:{server.port}/0")
        with entered(project, workers) as here:
            play(here)


def away(folder: Path, *, count: int, table: Table) -> None:
    """A round in which the store goes away: each kind of outage equally often, in any order."""
    with stage(folder, longest=LONGEST) as there, entered(Project(folder, TASKS, store=there.url), 3) as here:
        kinds = [*OUTAGES] * (count // len(OUTAGES)) + here.random.sample([*OUTAGES], count % len(OUTAGES))
        here.random.shuffle(kinds)
        outages(here, there, kinds, table)


def beats(folder: Path, *, count: int) -> None:
    """A round in which leading beats are struck."""
    strike_beats(folder, new_seed(), count)


@contextmanager
def entered(project: Project, workers: int) -> Iterator[Arena]:
    """The arena of one round."""
    with arena(project, new_seed(), workers=workers) as here:
        yield here
    project.app.close()


if __name__ == "__main__":
    sys.exit(main())
