"""Huey's side: RedisHuey, which waits in the server; a task that returns None keeps no result."""

from __future__ import annotations

import work
from huey import RedisHuey
from place import MESSAGES

huey = RedisHuey("bench", url=MESSAGES)
TASKS = {name: huey.task(name=name)(getattr(work, name)) for name in (*work.PLAIN, "kept")}
SETTINGS = {"class": "RedisHuey", "blocking": True}


def send_each(name, calls):
    """One call after the other."""
    task = TASKS[name]
    for call in calls:
        task(*call)


send_batch = None  # `map` sends one by one


def waiting() -> int:
    """Messages that no worker has taken."""
    return huey.pending_count()


def results() -> int:
    """Results that are kept."""
    return huey.result_count()
