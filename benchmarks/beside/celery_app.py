"""Celery's side, at the settings its documentation recommends for many short tasks."""

from __future__ import annotations

import work
from celery import Celery, chain, chord, group
from place import MESSAGES, RESULTS, ask
from processes import PATIENCE

app = Celery("bench", broker=MESSAGES, backend=RESULTS)
SETTINGS = {
    "task_ignore_result": True,  # where no result is wanted, none is kept
    "worker_prefetch_multiplier": 256,
    "worker_disable_rate_limits": True,
    "worker_send_task_events": False,
    "task_acks_late": False,  # Celery's default, and its faster way
    "broker_pool_limit": 10,
    "broker_connection_retry_on_startup": True,
}
app.conf.update(SETTINGS)
TASKS = {
    **{name: app.task(name=name)(getattr(work, name)) for name in work.PLAIN},
    "kept": app.task(name="kept", ignore_result=False)(work.kept),
    "none": app.task(name="none", ignore_result=False)(work.noop),
    "size": app.task(name="size", ignore_result=False)(work.size),
}


def send_each(name, calls):
    """One call after the other."""
    delay = TASKS[name].delay
    for call in calls:
        delay(*call)


def send_batch(name, calls):
    """Celery has no call for many: one producer is held for all, without retries (a `group` is slower)."""
    send = TASKS[name].apply_async
    with app.producer_pool.acquire(block=True) as producer:
        for call in calls:
            send(call, producer=producer, retry=False)


def run_group(count) -> int:
    """How many results came."""
    return len(group(TASKS["none"].s() for _ in range(count)).apply_async().get(timeout=PATIENCE))


def run_chord(count) -> int:
    """What its body has counted."""
    return chord([TASKS["none"].s() for _ in range(count)], TASKS["size"].s()).apply_async().get(timeout=PATIENCE)


def run_chain(count) -> int:
    """How many steps it had, each for itself."""
    chain(TASKS["none"].si() for _ in range(count)).apply_async().get(timeout=PATIENCE)
    return count


def waiting() -> int:
    """Messages that are not done with."""
    return ask("LLEN", "celery") + ask("HLEN", "unacked")


def results() -> int:
    """Results that are kept."""
    return ask("DBSIZE", db=1)
