"""Dramatiq's side: its default middleware, and results where they are wanted."""

from __future__ import annotations

import dramatiq
import work
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from place import MESSAGES, RESULTS, ask

broker = RedisBroker(url=MESSAGES)
broker.add_middleware(Results(backend=RedisBackend(url=RESULTS)))
dramatiq.set_broker(broker)
TASKS = {
    **{name: dramatiq.actor(getattr(work, name), actor_name=name) for name in work.PLAIN},
    "kept": dramatiq.actor(work.kept, actor_name="kept", store_results=True),
}
SETTINGS = {"results": "Redis, store_results=True only where they are wanted"}


def send_each(name, calls):
    """One call after the other."""
    send = TASKS[name].send
    for call in calls:
        send(*call)


send_batch = None  # `group` sends one by one


def waiting() -> int:
    """Messages that are not done with."""
    return ask("HLEN", "dramatiq:default.msgs")


def results() -> int:
    """Results that are kept."""
    return ask("DBSIZE", db=1)
