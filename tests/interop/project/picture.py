"""Feeds random events to a State of one system, and prints what it says of them."""

import json
import os
import random
import sys

if os.environ["SYSTEM"] == "celery":
    from celery.events.state import State
else:
    from umbel.events.state import State

BEGAN = 1795212706.0
SUBJECTS = ["sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected", "progress"]
CALL = {"args": "()", "kwargs": "{}", "eta": None, "expires": None}


def events(rand, count):
    for number in range(count):
        host = f"w{rand.randrange(4)}@h"
        told = {"hostname": host, "timestamp": BEGAN + number, "local_received": BEGAN + number, "pid": 1, "utcoffset": 0}
        told["clock"] = rand.randrange(1000) * 1000 + number
        if rand.random() < 0.15:
            subject = rand.choice(["online", "heartbeat", "heartbeat", "offline"])
            yield {**told, "type": f"worker-{subject}", "freq": 2, "active": rand.randrange(3), "processed": number}
            continue
        subject = rand.choice(SUBJECTS)
        told |= {"type": f"task-{subject}", "uuid": f"u{rand.randrange(60)}"}
        if subject in ("sent", "received"):
            family = {
                "root_id": rand.choice([None, "u1", "u70"]),
                "parent_id": rand.choice([None, None, f"u{rand.randrange(60)}"]),
            }
            told |= {"name": f"n{rand.randrange(5)}", **CALL, "retries": rand.randrange(3), **family}
        if subject == "sent":
            told |= {"queue": "q", "exchange": "", "routing_key": "q"}
        if subject == "succeeded":
            told |= {"result": str(number), "runtime": 1.0}
        if subject in ("failed", "retried"):
            told |= {"exception": f"E({number})", "traceback": "tb"}
        yield told


def main():
    for seed in map(int, sys.argv[1:]):
        state = State()
        for event in events(random.Random(seed), 600):
            (found, is_new), subject = state.event(event)
            print(type(found).__name__, getattr(found, "uuid", None) or found.hostname, is_new, subject)
        for task in sorted(state.tasks.values(), key=lambda task: task.uuid):
            known = {
                **task.as_dict(),
                "worker": task.worker and task.worker.hostname,
                "children": sorted(task.as_dict()["children"]),
            }
            print(json.dumps(known, sort_keys=True), json.dumps(task.info(), sort_keys=True), task.ready, task.origin)
            print(task.parent and task.parent.uuid, task.root and task.root.uuid)
        for worker in sorted(state.workers.values(), key=lambda worker: worker.hostname):
            print([getattr(worker, name) for name in worker._fields if name != "heartbeats"], len(worker.heartbeats))
        print(state.task_types(), state.event_count, state.task_count)


main()
