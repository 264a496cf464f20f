"""umbel beside Celery on this machine: the same work in turn, several rounds, medians and ratios.

Celery runs in `.bench/celery` (see requirements/celery.txt) on a private Redis, umbel on its SQLite store.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
BENCH = HERE.parent / ".bench"
SAY = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@dataclass
class Row:
    """One thing measured: `umbel` and `celery` are how many calls, since rates of one may need more to be exact."""

    name: str
    umbel: int
    celery: int
    figures: dict[str, str]
    """What `drive` gives → what it is called and its unit."""
    more_is_better: bool = False


ROWS = {
    row.name: row
    for row in (
        Row("send_one", 5_000, 5_000, {"rate": "send one by one, calls/s"}, more_is_better=True),
        Row("send_batch", 200_000, 5_000, {"rate": "send in batch, calls/s"}, more_is_better=True),
        Row("drain", 200_000, 20_000, {"rate": "drain no-ops, no results, tasks/s"}, more_is_better=True),
        Row("drain_kept", 100_000, 10_000, {"rate": "drain no-ops, with results, tasks/s"}, more_is_better=True),
        Row("latency", 200, 200, {"p50": "delay() to start, idle, p50, ms", "p99": "delay() to start, idle, p99, ms"}),
        Row("start", 1, 1, {"seconds": "worker start to first task, s"}),
        Row("start_plain", 1, 1, {"seconds": "the same, worker without options, s"}),
        Row("memory", 1, 1, {"megabytes": "idle worker with 2 processes, PSS, MB"}),
        Row("imports", 3, 3, {"package": "import the package, ms", "app": "import and make an app, ms"}),
    )
}
IMPORT = "import time; a = time.perf_counter(); {}; print((time.perf_counter() - a) * 1000)"


@dataclass
class System:
    """One of the two: where its Python is, how its worker starts."""

    name: str
    bin: Path
    worker: list[str]
    plain: list[str]
    """The worker as people start it first, with nothing but its two processes."""
    imports: dict[str, str]
    environment: dict[str, str]
    results: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, code: str) -> str:
        """What a line of Python prints in this system's environment."""
        command = [str(self.bin / "python"), "-c", code]
        return subprocess.run(command, cwd=HERE, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def time(self, code: str) -> float:
        """The median of what three fresh processes print."""
        return statistics.median(float(self.ask(code)) for _ in range(3))

    def measure(self, row: Row, folder: Path) -> dict[str, float]:
        """The figures of one row, once."""
        if row.name == "imports":
            return {key: self.time(IMPORT.format(what)) for key, what in self.imports.items()}
        count = row.umbel if self.name == "umbel" else row.celery
        command = [str(self.bin / "python"), "drive.py", f"{self.name}_app", row.name, str(count), str(folder)]
        command += self.plain if row.name.endswith("_plain") else self.worker
        process = subprocess.Popen(command, cwd=HERE, env=self.environment, stdout=subprocess.PIPE, text=True)
        try:
            told, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            log = folder / f"{self.name}_app.log"
            told = log.read_text()[-2000:] if log.exists() else "(its worker had not started)"
            raise SystemExit(f"{row.name} failed for {self.name}; the end of its worker's log:\n{told}")
        return dict(json.loads(told))


@contextmanager
def private_redis(folder: Path) -> Iterator[tuple[int, str]]:
    """A Redis of our own on a free port, as fast as it gets: no append-only file, no snapshots. Gives port and version."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if not program:
        raise SystemExit("redis-server is not on PATH: install it (apt install redis-server, or brew install redis)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        end = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit(f"{program} does not start")
            time.sleep(0.02)
        yield port, subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2][2:]
    finally:
        process.terminate()
        process.wait()


def systems(folder: Path, port: int) -> list[System]:
    celery = BENCH / "celery" / "bin"
    if not celery.exists():
        raise SystemExit(f"{celery} is missing: run 'make bench', which installs Celery there")
    here = Path(sys.executable).parent
    environment = {**os.environ, "BENCH_REDIS_PORT": str(port), "BENCH_FILE": str(folder / "umbel.db")}
    plain = {
        name: [str(place / name), "-A", f"{name}_app", "worker", "-c", "2"]
        for name, place in (("celery", celery), ("umbel", here))
    }
    quick = ["-O", "fair", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [
        System(
            "celery",
            celery,
            [*plain["celery"], "-l", "WARNING", *quick],
            plain["celery"],
            {"package": "import celery", "app": "from celery import Celery; Celery('x')"},
            environment,
        ),
        System(
            "umbel",
            here,
            [*plain["umbel"], "-l", "WARNING"],
            plain["umbel"],
            {"package": "import umbel", "app": "from umbel import Umbel; Umbel('x')"},
            environment,
        ),
    ]


def tell_settings(pair: list[System], redis: str) -> dict[str, str]:
    """Says what is compared; gives the same for the JSON file."""
    celery, umbel = pair
    versions = "import importlib.metadata as m; print(*(p + ' ' + m.version(p) for p in '{}'.split()), sep=', ')"
    table = Table(title="What is compared", title_justify="left", show_header=False)
    lines = {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "celery": celery.ask(versions.format("celery kombu redis hiredis")) + f"; Redis {redis}",
        "celery settings": celery.ask("import celery_app as a; print(*(f'{k}={v}' for k, v in a.SETTINGS.items()), sep=', ')"),
        "celery worker": " ".join(celery.worker[1:]),
        "celery durability": "Redis without append-only file and snapshots: when Redis ends, all is lost",
        "umbel": umbel.ask(versions.format("umbel msgspec"))
        + ", SQLite "
        + umbel.ask("import sqlite3; print(sqlite3.sqlite_version)"),
        "umbel settings": umbel.ask("import umbel_app as a; print(*(f'{k}={v}' for k, v in a.SETTINGS.items()), sep=', ')")
        + ", all else at its default (acks_late)",
        "umbel worker": " ".join(umbel.worker[1:]),
        "umbel durability": "SQLite file, WAL, synchronous=NORMAL: survives any process; a power cut may take the last moments",
    }
    for name, line in lines.items():
        table.add_row(name, line)
    SAY.print(table)
    return lines


def show(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def spread(values: list[float]) -> str:
    return f"{show(statistics.median(values))}  ({show(min(values))}–{show(max(values))})"


def run(rows: list[Row], rounds: int, pair: list[System], folder: Path) -> None:
    """Every row in turn, and in every second round the other system first."""
    for turn in range(rounds):
        for row in rows:
            for system in pair if turn % 2 else pair[::-1]:
                for key, value in system.measure(row, folder).items():
                    system.results.setdefault(row.figures[key], []).append(value)
            last = [
                f"{system.name} {' '.join(show(system.results[name][-1]) for name in row.figures.values())}" for system in pair
            ]
            SAY.print(f"round {turn + 1} of {rounds}  {row.name:11} {'   '.join(last)}")


def tell(rows: list[Row], rounds: int, pair: list[System]) -> dict[str, dict[str, float]]:
    """The table of medians; gives the same for the JSON file."""
    celery, umbel = pair
    table = Table(title=f"Medians of {rounds} rounds (lowest–highest)", title_justify="left")
    for name in ("", "Celery on Redis", "umbel on SQLite", "umbel is"):
        table.add_column(name, justify="left" if not name else "right")
    found = {}
    for row in rows:
        for name in row.figures.values():
            theirs, ours = (statistics.median(system.results[name]) for system in (celery, umbel))
            ratio = ours / theirs if row.more_is_better else theirs / ours
            word = "×" if row.more_is_better else "× less"
            table.add_row(name, spread(celery.results[name]), spread(umbel.results[name]), f"{ratio:.3g}{word}")
            found[name] = {"celery": theirs, "umbel": ours, "umbel/celery": ours / theirs}
    SAY.print(table)
    for row in rows:
        if row.umbel != row.celery:
            SAY.print(f"{row.name}: {row.umbel:,} calls by umbel, {row.celery:,} by Celery, so that both take seconds.")
    return found


def chosen(arguments: argparse.Namespace) -> list[Row]:
    rows = [ROWS[name] for name in arguments.only] if arguments.only else list(ROWS.values())
    if not Path("/proc/self/smaps_rollup").exists():
        SAY.print("memory is left out: this system does not tell the proportional set size")
        rows = [row for row in rows if row.name != "memory"]
    for row in rows:
        if row.name.startswith("drain") and arguments.tasks:
            row.umbel, row.celery = arguments.tasks, max(1_000, arguments.tasks // 10)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="umbel beside Celery on this machine")
    parser.add_argument("--rounds", type=int, default=5, help="how often each row is measured (default 5)")
    parser.add_argument(
        "--tasks", type=int, help="tasks to drain: so many by umbel, a tenth by Celery (default 200000, 100000 with results)"
    )
    parser.add_argument("--only", action="append", choices=list(ROWS), help="this row only; may be given again")
    parser.add_argument("--store", choices=["sqlite"], default="sqlite", help="umbel's store")
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BENCH, prefix="run-") as name, private_redis(Path(name)) as (port, version):
        pair = systems(Path(name), port)
        rows = chosen(arguments)
        compared = tell_settings(pair, version)
        run(rows, arguments.rounds, pair, Path(name))
        medians = tell(rows, arguments.rounds, pair)
    if arguments.json:
        raw = {system.name: system.results for system in pair}
        arguments.json.write_text(json.dumps({"compared": compared, "medians": medians, "rounds": raw}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
