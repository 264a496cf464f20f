"""RQ's side: jobs that keep a result only where it is wanted, in JSON."""

from __future__ import annotations

import work
from place import MESSAGES, PORT
from redis import Redis
from rq import Queue
from rq.registry import FinishedJobRegistry, StartedJobRegistry

REDIS_URL = MESSAGES  # the workers read it here
redis = Redis(port=PORT)
queue = Queue(connection=redis, serializer="rq.serializers.JSONSerializer")
TASKS = {name: getattr(work, name) for name in (*work.PLAIN, "kept")}
LIFE = dict.fromkeys(work.PLAIN, 0) | {"kept": 86400}
SETTINGS = {"serializer": "JSONSerializer", "result_ttl": "0 where no result is wanted"}


def send_each(name, calls):
    """One call after the other."""
    task, life = TASKS[name], LIFE[name]
    for call in calls:
        queue.enqueue_call(task, call, result_ttl=life)


def send_batch(name, calls):
    """`enqueue_many`, a thousand at a time."""
    calls = list(calls)
    for start in range(0, len(calls), 1000):
        some = calls[start : start + 1000]
        queue.enqueue_many([Queue.prepare_data(TASKS[name], call, result_ttl=LIFE[name]) for call in some])


def waiting() -> int:
    """Messages that are not done with."""
    return queue.count + StartedJobRegistry(queue=queue).count


def results() -> int:
    """Results that are kept."""
    return FinishedJobRegistry(queue=queue).count
