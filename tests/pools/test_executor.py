"""Pools with the real executor: limits and cancellation as tasks meet them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from umbel import Umbel
from umbel.errors import SoftTimeLimitExceeded
from umbel.execution.outcome import Job, Kind
from umbel.follow.executor import make_executor
from umbel.pools.loop import LoopPool
from umbel.pools.pool import Pool, Stop
from umbel.pools.process import ProcessPool
from umbel.pools.solo import SoloPool
from umbel.pools.thread import ThreadPool
from umbel.testing.pools import Trial
from umbel.testing.waiting import NEVER
from umbel.wire import protocol
from umbel.wire.encoding import accept_types
from umbel.wire.message import Headers, Message

POOLS = {
    "prefork": lambda runner: ProcessPool(runner, slots=2),
    "threads": lambda runner: ThreadPool(runner, slots=2),
    "asyncio": lambda runner: LoopPool(runner, slots=10),
    "solo": SoloPool,
}


class Bench:
    """An app with tasks, and jobs of them run in a pool."""

    def __init__(self, app: Umbel, pool: str):
        self.executor = make_executor(app.tasks, hostname="w1@host", accept=accept_types(["json"]))
        self.pool = pool
        self.made = 0

        @app.task(name="add")
        def add(x, y):
            return x + y

        @app.task(name="wait")
        def wait(seconds, path):
            try:
                Path(path).touch()
                time.sleep(seconds)
            except SoftTimeLimitExceeded:
                return "cleaned up"

        @app.task(name="async_wait")
        async def async_wait(seconds):
            try:
                await asyncio.sleep(seconds)
            except SoftTimeLimitExceeded:
                return "cleaned up"

    def job(self, task: str, *args, **options) -> Job:
        self.made += 1
        envelope = protocol.encode(Message(Headers(task=task, id=f"id-{self.made}"), args), queue="celery")
        return Job(self.made, task, envelope, is_async=task.startswith("async_"), **options)

    def try_out(self, test) -> None:
        async def run() -> None:
            pool: Pool = POOLS[self.pool](self.executor)
            await pool.start()
            try:
                await test(Trial(pool))
            finally:
                await pool.stop(at_once=True)

        asyncio.run(run())


@pytest.fixture
def bench(request):
    with Umbel("proj", set_as_current=False, broker="memory://", task_default_queue="celery") as app:
        yield Bench(app, request.param)


every_pool = pytest.mark.parametrize("bench", POOLS, indirect=True)
prefork = pytest.mark.parametrize("bench", ["prefork"], indirect=True)


@every_pool
def test_tasks_give_their_values(bench):
    async def add(it: Trial) -> None:
        outcomes = await it.run([bench.job("add", number, 1) for number in range(300)])
        assert [outcome.text for outcome in outcomes] == [str(number + 1) for number in range(300)]
        assert {outcome.results[0].state for outcome in outcomes} == {"SUCCESS"}

    bench.try_out(add)


@every_pool
def test_soft_limit_and_soft_cancel_of_async_tasks_raise_inside_them(bench):
    async def limit(it: Trial) -> None:
        cancelled = bench.job("async_wait", NEVER, tell=True)
        limited = bench.job("async_wait", NEVER, soft=0.1)
        it.pool.submit([cancelled, limited])
        await it.until(lambda: cancelled.number in it.begun)
        assert it.pool.cancel(cancelled.number, Stop.SOFT)
        for outcome in await it.end_of([cancelled, limited]):
            assert (outcome.kind, outcome.text) == (Kind.SUCCESS, "'cleaned up'")

    bench.try_out(limit)


@every_pool
def test_hard_limit_and_hard_cancel_end_async_tasks(bench):
    async def limit(it: Trial) -> None:
        cancelled = bench.job("async_wait", NEVER, tell=True)
        limited = bench.job("async_wait", NEVER, hard=0.1)
        it.pool.submit([cancelled, limited])
        await it.until(lambda: cancelled.number in it.begun)
        assert it.pool.cancel(cancelled.number, Stop.HARD)
        first, second = await it.end_of([cancelled, limited])
        assert (first.kind, second.kind) == (Kind.TERMINATED, Kind.TIMEOUT)

    bench.try_out(limit)


@prefork
def test_soft_limit_and_soft_cancel_of_sync_tasks_raise_inside_them(bench, tmp_path):
    async def limit(it: Trial) -> None:
        inside = tmp_path / "inside"
        cancelled = bench.job("wait", NEVER, str(inside))
        limited = bench.job("wait", NEVER, str(tmp_path / "other"), soft=0.1)
        it.pool.submit([cancelled, limited])
        await it.until(inside.exists)
        assert it.pool.cancel(cancelled.number, Stop.SOFT)
        for outcome in await it.end_of([cancelled, limited]):
            assert (outcome.kind, outcome.text) == (Kind.SUCCESS, "'cleaned up'")

    bench.try_out(limit)


@prefork
def test_soft_then_hard_limit_of_a_sync_task(bench, tmp_path):
    async def limit(it: Trial) -> None:
        [outcome] = await it.run([bench.job("wait", NEVER, str(tmp_path / "inside"), soft=5, hard=0.1)])
        assert outcome.kind is Kind.TIMEOUT

    bench.try_out(limit)
