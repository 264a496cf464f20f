"""umbel beside Celery, Dramatiq, Huey, Taskiq and RQ on this machine: the same work in turn, several rounds, medians.

Each peer runs in `.bench/<name>` (see requirements/bench-<name>.txt), and each measurement in a fresh folder with a fresh Redis.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import server
from rich.console import Console
from rows import FACE, PEERS, ROWS, Row
from systems import BENCH, System, systems
from tables import TITLES, Results, counts, medians, show, spreads, targets, verdicts

CHOICES = (FACE, *PEERS)
SAY = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
DURABILITY = {
    "Redis": f"{shlex.join(server.DURABILITY)}, the same for all: what it holds is lost when it ends",
    "SQLite": f"{sqlite3.sqlite_version}, WAL, synchronous=NORMAL: survives any process; a power cut may take the last moments",
}


def chosen(arguments: argparse.Namespace) -> tuple[dict[str, Row], list[System]]:
    """The rows and the systems that are asked for."""
    rows = {name: ROWS[name] for name in arguments.only or ROWS}
    if not Path("/proc/self/smaps_rollup").exists() and rows.pop("memory", None):
        SAY.print("memory is left out: this system does not tell the proportional set size")
    found = [system for system in systems() if system.name not in CHOICES or system.name in arguments.peers]
    for system in found:
        if not (system.bin / "python").exists():
            raise SystemExit(f"{system.bin.parent} is missing: run 'make bench', which installs {system.title} there")
    return rows, found


def about(found: list[System]) -> dict[str, dict[str, str]]:
    """Says what is compared; gives the same for the JSON file."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    told = {"machine": {"": f"{machine}, {server.version()}"}, "durability": DURABILITY}
    told |= {TITLES[system.name]: system.about() for system in found}
    for name, facts in told.items():
        for fact, text in facts.items():
            SAY.print(f"[bold]{name}[/] {fact}: {text}" if fact else f"[bold]{name}[/]: {text}", soft_wrap=True)
    return told


def run(rows: dict[str, Row], rounds: int, found: list[System], scale: float) -> Results:
    """Every row of all systems in turn, and in every second round in the opposite order."""
    results: Results = {figure.title: {} for row in rows.values() for figure in row.figures.values()}
    for turn in range(rounds):
        for name, row in rows.items():
            if row.once and turn:
                continue
            for system in found[::-1] if turn % 2 else found:
                if system.name in row.systems:
                    for key, value in system.measure(name, row, row.calls(system.name, scale)).items():
                        results[row.figures[key].title].setdefault(system.name, []).append(value)
            tell(f"{turn + 1}/{rounds} {name}", row, results, found)
    return results


def tell(what: str, row: Row, results: Results, found: Sequence[System]) -> None:
    """What this round gave, so that who waits sees something."""
    for figure in row.figures.values():
        last = results[figure.title]
        SAY.print(f"{what:16}" + " ".join(f"{show(last[each.name][-1]) if each.name in last else '–':>10}" for each in found))


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each row is measured (default 3)")
    parser.add_argument("--only", nargs="+", action="extend", choices=list(ROWS), metavar="ROW", help=f"of: {', '.join(ROWS)}")
    parser.add_argument("--peers", nargs="*", choices=CHOICES, default=CHOICES, metavar="PEER", help=f"of: {', '.join(CHOICES)}")
    parser.add_argument("--scale", type=float, default=1.0, help="measure so many times as many calls (default 1)")
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file too")
    return parser


def main() -> None:
    """Measure, and tell."""
    arguments = options().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BENCH.mkdir(exist_ok=True)
    begin = time.monotonic()
    rows, found = chosen(arguments)
    compared = about(found)
    names = [system.name for system in found]
    SAY.print(f"\n{'round':16}" + " ".join(f"{name[-10:]:>10}" for name in names))
    results = run(rows, arguments.rounds, found, arguments.scale)
    judged = verdicts(results)
    grids = [medians(results, names, arguments.rounds), spreads(results, names), targets(judged)]
    grids = [grid for grid in grids if grid.lines]
    SAY.print()
    for grid in grids:
        grid.on(SAY)
    SAY.print(counts(rows, names, arguments.scale))
    SAY.print(f"It took {time.monotonic() - begin:.0f} s.")
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(grid.markdown() for grid in grids))
    if arguments.json:
        raw = {"compared": compared, "rounds": results, "targets": [asdict(verdict) for verdict in judged]}
        arguments.json.write_text(json.dumps(raw, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
