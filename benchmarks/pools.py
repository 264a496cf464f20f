"""How fast a pool is: no-op jobs a second, what one costs the parent, and how long an idle pool takes for one.

python benchmarks/pools.py [processes|threads|asyncio|solo] [slots]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from umbel.execution.outcome import Job, Kind, Outcome
from umbel.pools.pool import Pool
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

ROUNDS, JOBS, WINDOW, HOPS = 5, 100_000, 1_000, 500
HEADERS = b'{"lang":"py","task":"noop","id":"018f0000-0000-7000-8000-000000000000","retries":0,"origin":"gen1@host"}'
DOCUMENT = b'{"task_id":"018f0000-0000-7000-8000-000000000000","status":"SUCCESS","result":null,"traceback":null,"children":[]}'


class Trivial:
    """A runner that does nothing and tells a result of the usual size."""

    def run(self, job: Job) -> Outcome:
        return Outcome(job.number, Kind.SUCCESS, [Result(job.envelope.id, "SUCCESS", DOCUMENT)])

    async def run_async(self, job: Job) -> Outcome:
        return self.run(job)

    def enter(self) -> None: ...

    def leave(self) -> None: ...


def make(kind: str, slots: int) -> Pool:
    if kind == "processes":
        from umbel.pools.process import ProcessPool

        return ProcessPool(Trivial(), slots=slots)
    if kind == "threads":
        from umbel.pools.thread import ThreadPool

        return ThreadPool(Trivial(), slots=slots)
    if kind == "asyncio":
        from umbel.pools.loop import LoopPool

        return LoopPool(Trivial(), slots=slots)
    from umbel.pools.solo import SoloPool

    return SoloPool(Trivial())


def job(number: int, *, is_async: bool) -> Job:
    envelope = Envelope("018f0000-0000-7000-8000-000000000000", "celery", HEADERS, b'[[],{},{"callbacks":null}]')
    return Job(number, "noop", envelope, is_async=is_async)


async def drain(pool: Pool, count: int, *, is_async: bool) -> float:
    """Seconds that `count` jobs take, a window of them in the pool at a time."""
    made = [job(number, is_async=is_async) for number in range(count)]
    start, at, done = time.perf_counter(), 0, 0
    while done < count:
        if at < count and at - done < WINDOW // 2:
            pool.submit(made[at : at + WINDOW])
            at += WINDOW
        news = await pool.news()
        back = [made[each.number] for each in news if isinstance(each, Outcome) and each.kind is Kind.RETURNED]
        pool.submit(back)
        done += len(news) - len(back)
    return time.perf_counter() - start


async def hops(pool: Pool, count: int) -> float:
    """Median seconds from the submission of one job to an idle pool until its outcome is here."""
    taken = []
    for number in range(count):
        start = time.perf_counter()
        pool.submit([job(number, is_async=False)])
        await pool.news()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


async def main(kind: str, slots: int) -> None:
    pool = make(kind, slots)
    await pool.start()
    for is_async in (False, True):
        await drain(pool, JOBS // 20, is_async=is_async)
        rates, costs = [], []
        for _ in range(ROUNDS):
            cpu = time.thread_time()
            rates.append(JOBS / await drain(pool, JOBS, is_async=is_async))
            costs.append((time.thread_time() - cpu) / JOBS)
        what = "async" if is_async else "sync"
        rate, cost = statistics.median(rates), statistics.median(costs) * 1e6
        print(f"{kind} x {slots}, {what}: {rate:,.0f} jobs/s, loop thread {cost:.2f} µs/job")
    print(f"{kind} x {slots}: one job to an idle pool and back {await hops(pool, HOPS) * 1e6:.0f} µs")
    await pool.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "processes", int(sys.argv[2]) if len(sys.argv) > 2 else 2))
