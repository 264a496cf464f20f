"""What one run costs in the process that runs it: from the envelope's bytes to the outcome's.

python benchmarks/execution.py
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

from umbel import Umbel
from umbel.execution.execute import Executor
from umbel.execution.outcome import Job
from umbel.follow.executor import make_executor
from umbel.follow.join import Joiner
from umbel.wire import protocol
from umbel.wire.encoding import accept_types
from umbel.wire.message import Headers, Message

ROUNDS, RUNS = 15, 5_000
ACCEPT = accept_types(["json"])

app = Umbel("bench", broker="memory://")


@app.task(name="noop")
def noop() -> None:
    """Nothing."""


@app.task(name="add")
def add(x: int, y: int) -> int:
    """Next to nothing."""
    return x + y


@app.task(name="fail")
def fail() -> None:
    """Fails."""
    raise ValueError("x")


@app.task(name="again", autoretry_for=(ValueError,))
def again() -> None:
    """Fails, to be tried again."""
    raise ValueError("x")


@app.task(name="anoop")
async def anoop() -> None:
    """Nothing, on the loop that runs."""


def job(name: str, *args: int, soft: float | None = None, is_async: bool = False, ignore: bool | None = None) -> Job:
    headers = Headers(task=name, id="018f0000-0000-7000-8000-000000000000", ignore_result=ignore)
    return Job(1, name, protocol.encode(Message(headers, args), queue="celery"), soft=soft, is_async=is_async)


def median(run: Callable[[], object]) -> float:
    """Microseconds of one run: the median of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(RUNS):
            run()
        rounds.append((time.perf_counter() - start) / RUNS * 1e6)
    return statistics.median(rounds)


async def median_async(executor: Executor[Joiner], one: Job) -> float:
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(RUNS):
            await executor.run_async(one)
        rounds.append((time.perf_counter() - start) / RUNS * 1e6)
    return statistics.median(rounds)


def main() -> None:
    executor = make_executor(app.tasks, hostname="w1@host", accept=ACCEPT)
    cases = {
        "noop()": job("noop"),
        "noop(), result ignored": job("noop", ignore=True),
        "add(2, 3)": job("add", 2, 3),
        "noop() with a soft limit": job("noop", soft=60.0),
        "a failure": job("fail"),
        "an automatic retry": job("again"),
    }
    envelope = cases["noop()"].envelope
    print(f"{'decoding alone':<28}{median(lambda: protocol.decode(envelope, ACCEPT)):>8.1f} µs")
    for name, one in cases.items():
        print(f"{name:<28}{median(lambda one=one: executor.run(one)):>8.1f} µs")  # type: ignore[misc]
    print(f"{'async noop()':<28}{asyncio.run(median_async(executor, job('anoop', is_async=True))):>8.1f} µs")


if __name__ == "__main__":
    main()
