"""Time limits and places of the pools that run tasks in the worker's own process, and of several workers side by side."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.servers.redis import running
from tests.trips.project import Project

from umbel.errors import TimeLimitExceeded
from umbel.testing.waiting import patience, until

Make = Callable[..., Project]

TASKS = """
from umbel.errors import SoftTimeLimitExceeded

@app.task(soft_time_limit=0.2)
def slow():
    try:
        for _ in range(6000):
            time.sleep(0.01)
    except SoftTimeLimitExceeded:
        return "cleaned up"

@app.task(soft_time_limit=0.2)
async def aslow():
    try:
        await asyncio.sleep(60)
    except SoftTimeLimitExceeded:
        return "cleaned up"

@app.task(time_limit=0.3)
def stuck():
    time.sleep(3)

@app.task(time_limit=0.3)
async def astuck():
    await asyncio.sleep(60)

@app.task(soft_time_limit=0.004, time_limit=60)
def quick(number):
    end = time.monotonic() + 0.004
    while time.monotonic() < end: pass
    return number

@app.task
def add(x, y):
    return x + y

@app.task
async def hold():
    tell("began", os.getpid())
    while not os.path.exists("gate"):
        await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize("pool", ["threads", "asyncio", "solo"])
def test_pools_without_processes_keep_limits(project: Make, pool: str) -> None:
    made = project(TASKS)
    with made.worker("-c", "1", "-P", pool) as worker:
        for name in ("slow", "aslow"):
            assert made.app.send_task(f"proj.{name}").get(timeout=patience()) == "cleaned up"
        for name in ("stuck", "astuck"):
            with pytest.raises(TimeLimitExceeded):
                made.app.send_task(f"proj.{name}").get(timeout=patience())
            assert made.app.send_task("proj.add", (1, 2)).get(timeout=patience()) == 3
        assert "left to itself" in worker.log
        assert worker.log.count("exceeded for proj.") == 2
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_limit_that_comes_with_the_end_of_its_task_hits_nobody_else(project: Make, pool: str) -> None:
    made = project(TASKS)
    with made.worker("-c", "2", "-P", pool) as worker:
        sent = [made.app.send_task("proj.quick", (number,)) for number in range(100)]
        plain = [made.app.send_task("proj.add", (number, 1)) for number in range(100)]
        assert [each.get(timeout=patience()) for each in plain] == list(range(1, 101))
        for each in sent:
            each.get(timeout=patience(), propagate=False)
        assert {each.state for each in sent} <= {"SUCCESS", "FAILURE", "REVOKED"}
        assert "broke out" not in worker.log
        assert "begins anew" not in worker.log


@pytest.mark.parametrize("pool", ["prefork", "threads", "asyncio"])
def test_async_jobs_fill_the_places_of_all_workers_and_no_more(project: Make, pool: str) -> None:
    made = project("app.conf.worker_async_concurrency = 2\n" + TASKS)
    assert made.app.send_task("proj.add", (1, 2)) is not None  # so that the pool knows of both kinds
    sent = [made.app.send_task("proj.hold") for _ in range(20)]
    with made.worker("-c", "2", "-P", pool) as first:
        until(lambda: len(made.effects()) == 2, saying=lambda: first.log)
        with made.worker("-c", "2", "-P", pool) as second:
            until(lambda: len(made.effects()) == 4, saying=lambda: first.log + second.log)
            until(lambda: made.app.broker.depth(["celery"])["celery"].ready >= 14)  # though both look at times what else there is
            assert len(made.effects()) == 4
            (made.folder / "gate").touch()
            for each in sent:
                each.get(timeout=patience())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-P", "solo", "-c", "4"), "solo, 1 at once"),
        (("-P", "asyncio"), "asyncio, 7 at once"),
        (("-P", "threads", "-c", "3"), "threads, 3 at once"),
    ],
)
def test_the_banner_tells_how_many_run_at_once(project: Make, options: tuple[str, ...], told: str) -> None:
    made = project("app.conf.worker_async_concurrency = 7\n" + TASKS)
    with made.worker(*options) as worker:
        assert told in worker.log


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_a_rate_limited_task_keeps_its_order_and_its_priorities(project: Make, tmp_path: Path, store: str) -> None:
    """Also those for which there is no place in the worker's memory, and which wait in the store meanwhile."""
    tasks = "@app.task(rate_limit='40/s')\ndef mark(number):\n    tell(number)\n"
    with running(tmp_path / "server") if store == "redis" else nullcontext() as server:
        made = project(tasks, store=server and f"redis://127.0.0.1:{server.port}/0")
        with made.worker("-c", "1"):
            for number in range(70):
                made.app.send_task("proj.mark", (number,))
            until(lambda: len(made.effects()) > 5)
            for number in range(70, 100):
                made.app.send_task("proj.mark", (number,))
            for number in range(1000, 1003):
                made.app.send_task("proj.mark", (number,), priority=9)
            until(lambda: made.effects()[-1:] and len(made.effects()) == 103)
            ran = [int(number) for (number,) in made.effects()]
        assert [number for number in ran if number < 1000] == list(range(100))
        assert [number for number in ran if number >= 1000] == [1000, 1001, 1002]
        assert ran.index(1002) < 60
