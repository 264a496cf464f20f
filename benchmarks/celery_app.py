"""Celery's side of the benchmark, at the settings its documentation recommends for many short tasks."""

from __future__ import annotations

import os
import time

from celery import Celery
from redis import Redis

PORT = os.environ.get("BENCH_REDIS_PORT", "6379")

app = Celery("bench", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
SETTINGS = {
    "task_ignore_result": True,  # where no result is wanted, none is kept
    "worker_prefetch_multiplier": int(os.environ.get("BENCH_PREFETCH", "64")),
    "worker_disable_rate_limits": True,
    "worker_send_task_events": False,
    "task_acks_late": False,  # Celery's default, and its faster way
    "broker_pool_limit": 10,
    "broker_connection_retry_on_startup": True,
}
app.conf.update(SETTINGS)


@app.task(name="noop")
def noop() -> None:
    """Nothing."""


@app.task(name="kept", ignore_result=False)
def kept() -> int:
    """Nothing, with a result that is kept."""
    return 1


@app.task(name="mark")
def mark(path: str, text: str) -> None:
    """Append when this ran to a file."""
    with open(path, "a") as file:
        file.write(f"{text} {time.monotonic()}\n")


def send_many(task, count: int) -> None:
    """`count` calls as fast as Celery can: it has no call for many, so one connection is held for all (a `group` is slower)."""
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            task.apply_async(producer=producer, retry=False)


def waiting() -> int:
    """How many messages the broker still holds, those in a worker's hands included."""
    with Redis(port=int(PORT)) as redis:
        return redis.llen("celery") + redis.hlen("unacked")


def reset() -> None:
    """An empty store."""
    with Redis(port=int(PORT)) as redis:
        redis.flushall()
