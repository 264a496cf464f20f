"""What a beat with 100,000 entries costs: seconds to start, memory, and a processor's time at 100 ticks a second.

    python benchmarks/beat.py [--store URL] [--entries 100000] [--code]

Half of them are intervals, each a hundredth of a second longer than the one before, half are crontabs of once a day.
With `--code` they are named in the code, and compared with the store at the start; else they are in the store alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from umbel import Umbel
from umbel.client.periodic.entry import Entry
from umbel.schedules import crontab, schedule

TARGETS = {"start, s": 5.0, "memory, MB": 200.0, "at 100 ticks/s, % of a core": 5.0}
SECONDS = 20.0
FIRST = 20.0
"""Seconds until the first interval is over; by then the beat has started."""

CODE = """
from umbel import Umbel
from umbel.schedules import crontab, schedule
app = Umbel("bench", broker="{store}")
app.task(name="noop")(lambda *args: None)
app.conf.beat_schedule = {{
    f"entry {{n}}": {{
        "task": "noop",
        "schedule": schedule({first} + n / 2 * 0.01) if n % 2 else crontab(hour=n % 24, minute=n % 60),
        "args": (n,),
    }}
    for n in range({entries})
}}
"""


def fill(app: Umbel, entries: int, *, named: bool) -> None:
    """Put all entries into the store, as a beat before has done."""
    if named:
        subprocess.run([sys.executable, "-c", "import bench; bench.app.schedule.save_named()"], check=True)
        return
    for start in range(0, entries, 10_000):
        app.schedule_store.save([(f"entry {n}", definition(n)) for n in range(start, min(start + 10_000, entries))])


def definition(n: int) -> bytes:
    """One entry as the store keeps it."""
    when = schedule(FIRST + n / 2 * 0.01) if n % 2 else crontab(hour=n % 24, minute=n % 60)
    return Entry(f"entry {n}", "noop", when, args=(n,)).encode()


def waiting(app: Umbel) -> int:
    """How many messages were sent."""
    return app.broker.depth(["celery"])["celery"].ready


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--code", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        store = asked.store or f"sqlite:///{folder}/q.db"
        text = CODE.format(store=store, entries=asked.entries if asked.code else 0, first=FIRST)
        Path("bench.py").write_text(text)
        app = Umbel("bench", broker=store, set_as_current=False)
        fill(app, asked.entries, named=asked.code)
        figures = measure(app)
        app.close()
    for what, value in figures.items():
        print(f"{what:30} {value:10.2f}   {f'target {TARGETS[what]:g}' if what in TARGETS else ''}")


def seconds_to_start() -> float:
    """How long a beat takes from nothing until it leads, with all entries in memory."""
    command = [sys.executable, "-m", "umbel", "-A", "bench", "beat", "-q", "-l", "INFO"]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "leads now" not in process.stderr.readline():
            if time.monotonic() > began + 120 or process.poll() is not None:
                raise SystemExit("the beat does not start")
        took = time.monotonic() - began
        process.terminate()
    return took


def measure(app: Umbel) -> dict[str, float]:
    """Start a beat, let it send for a while, and stop it."""
    start = seconds_to_start()
    with subprocess.Popen([sys.executable, "-m", "umbel", "-A", "bench", "beat", "-q"]) as process:
        try:
            end = time.monotonic() + 120
            while not waiting(app):
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit("the beat sends nothing")
                time.sleep(0.01)
            program = psutil.Process(process.pid)
            time.sleep(3)
            used, sent, now = program.cpu_times(), waiting(app), time.monotonic()
            time.sleep(SECONDS)
            later, passed = program.cpu_times(), time.monotonic() - now
            rate = (waiting(app) - sent) / passed
            cpu = (later.user + later.system - used.user - used.system) / passed * 100
            memory = program.memory_info().rss / 1e6
        finally:
            process.terminate()
    return {"start, s": start, "memory, MB": memory, "ticks/s": rate, "at 100 ticks/s, % of a core": cpu / rate * 100}


if __name__ == "__main__":
    main()
