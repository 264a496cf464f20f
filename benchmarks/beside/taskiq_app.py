"""Taskiq's side: async tasks on uvloop, orjson, and the faster of its brokers on Redis."""

from __future__ import annotations

import asyncio

import uvloop
import work
from place import MESSAGES, RESULTS, ROW, ask
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

broker = ListQueueBroker(MESSAGES).with_serializer(ORJSONSerializer())
if ROW == "drain_kept":
    broker = broker.with_result_backend(RedisAsyncResultBackend(RESULTS, serializer=ORJSONSerializer()))
SETTINGS = {"broker": "ListQueueBroker", "serializer": "ORJSONSerializer", "loop": "uvloop", "tasks": "async def"}


@broker.task(task_name="noop")
async def noop() -> None:
    """As `work.noop`, where Taskiq runs it best: a plain function would go to a thread."""


@broker.task(task_name="mark")
async def mark(number: int) -> None:
    """As `work.mark`."""
    work.mark(number)


@broker.task(task_name="spin")
async def spin(number: int) -> None:
    """As `work.spin`."""
    work.spin(number)


@broker.task(task_name="spin_long")
async def spin_long(number: int) -> None:
    """As `work.spin_long`."""
    work.spin_long(number)


@broker.task(task_name="large")
async def large(number: int, text: str) -> None:
    """As `work.large`."""
    work.large(number, text)


@broker.task(task_name="kept")
async def kept(number: int) -> int:
    """As `work.kept`."""
    return work.kept(number)


TASKS = {each.task_name: each for each in (noop, mark, spin, spin_long, large, kept, broker.task(task_name="nap")(work.nap))}
LOOP = asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _each(name, calls) -> None:
    send = TASKS[name].kiq
    for call in calls:
        await send(*call)


async def _batch(name, calls) -> None:
    await asyncio.gather(*(TASKS[name].kiq(*call) for call in calls))


def send_each(name, calls):
    """One call after the other."""
    LOOP.run(_each(name, calls))


def send_batch(name, calls):
    """Taskiq has no call for many: a hundred are on their way at once."""
    calls = list(calls)
    for start in range(0, len(calls), 100):
        LOOP.run(_batch(name, calls[start : start + 100]))


def waiting() -> int:
    """Messages that no worker has taken."""
    return ask("LLEN", "taskiq")


def results() -> int:
    """Results that are kept."""
    return ask("DBSIZE", db=1)
