"""How soon workers answer: from a cold shell beside Celery, while their processes are busy, and while a full queue is drained.

python benchmarks/control.py --url redis://an-empty-server/0 [--celery .bench/celery/bin/python]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from umbel import Umbel

MANY = 200_000
APP = """
import os, time
if os.environ["SYSTEM"] == "celery":
    from celery import Celery as App
else:
    from umbel import Umbel as App
app = App("asked", broker=os.environ["URL"])

@app.task(name="noop", ignore_result=True)
def noop():
    pass

@app.task(name="spin")
def spin(seconds):
    end = time.time() + seconds
    while time.time() < end:
        pass
"""


def cold(python: str, system: str, folder: str, url: str, rounds: int) -> float:
    """Seconds that `inspect ping` takes from a shell, the median."""
    env = {**os.environ, "SYSTEM": system, "URL": url}
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        command = [python, "-m", system, "-A", "asked", "inspect", "ping"]
        subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def wait_for_it(url: str) -> None:
    """Until the worker answers."""
    from umbel import Umbel

    with Umbel("waits", broker=url) as app:
        while not app.control.ping():
            time.sleep(0.05)


def full(url: str, seconds: float) -> list[float]:
    """Milliseconds of each answer while the worker drains a full queue as fast as it can."""
    from umbel import Umbel

    with Umbel("fills", broker=url) as app:
        app.task(lambda: None, name="noop", ignore_result=True).delay_many([()] * MANY)
        took = answers(app, seconds, lambda: app.broker.depth(["celery"])["celery"].ready > 0)
        app.broker.purge("celery")
    return took


def answers(app: Umbel, seconds: float, goes_on: Callable[[], bool] = lambda: True) -> list[float]:
    """Milliseconds of each answer, in order."""
    took, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end and goes_on():
        begun = time.perf_counter()
        assert app.control.ping(timeout=10)
        took.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.02)
    return sorted(took)


def busy(url: str, seconds: float) -> list[float]:
    """Milliseconds of each answer while both processes of the worker compute."""
    from umbel import Umbel

    with Umbel("asks", broker=url) as app:
        for _ in range(2):
            app.send_task("spin", (seconds,))
        while sum(map(len, (app.control.inspect().active() or {}).values())) < 2:
            pass
        return answers(app, seconds * 0.8)


def told(what: str, took: list[float]) -> None:
    """Print how long answers took."""
    worst = took[int(len(took) * 0.99)]
    print(f"while {what}: median {statistics.median(took):.1f} ms, 99 of 100 within {worst:.1f} ms, {len(took)} asked")


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--celery", help="a Python that has Celery")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "asked.py").write_text(APP)
        env = {**os.environ, "SYSTEM": "umbel", "URL": given.url}
        command = [sys.executable, "-m", "umbel", "-A", "asked", "-q", "worker", "-c", "2"]
        worker = subprocess.Popen(command, cwd=folder, env=env)
        try:
            wait_for_it(given.url)
            ours = cold(sys.executable, "umbel", folder, given.url, given.rounds)
            print(f"umbel inspect ping: {ours:.2f} s")
            if given.celery:
                theirs = cold(os.path.abspath(given.celery), "celery", folder, given.url, given.rounds)
                print(f"celery inspect ping: {theirs:.2f} s, {theirs / ours:.1f} times as long")
            told("a full queue is drained", full(given.url, given.seconds))
            told("2 processes compute", busy(given.url, given.seconds))
        finally:
            worker.terminate()
            worker.wait()


if __name__ == "__main__":
    main()
