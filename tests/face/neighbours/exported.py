"""Watches workers as exporters for Prometheus do, and prints what they would tell."""

import json
import os
import sys
import threading

from celery import Celery
from celery.utils import nodesplit
from celery.utils.time import adjust_timestamp, utcoffset

place = sys.argv[1]
app = Celery("exported", broker=place, backend=place)
app.conf.task_send_sent_event = True
patience = float(os.environ["PATIENCE"])


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("no")


def main():
    state = app.events.State()
    told, tasks, seen = [], [], threading.Event()

    def task(event):
        (known, _), subject = state.event(event)
        known = state.tasks.get(event["uuid"])
        tasks.append((known, subject))
        if sum(subject in ("succeeded", "failed", "sent") for _, subject in tasks) == 4:  # the client tells by a way of its own
            seen.set()

    def worker(event):
        found = state.event(event)[0][0]
        told.append([nodesplit(found.hostname)[0], event["type"], found.active is not None, found.alive])
        adjust_timestamp(event["timestamp"], event["utcoffset"])

    own = app.WorkController(hostname="exported@host", pool="threads", concurrency=1, task_events=True)
    running = threading.Thread(target=own.start, daemon=True)
    with app.connection() as connection:
        receiver = app.events.Receiver(
            connection, handlers={"task-*": None, "worker-heartbeat": worker, "worker-online": worker, "*": task}
        )
        watching = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=None, wakeup=True), daemon=True)
        watching.start()
        running.start()
        add.delay(1, 2).get(timeout=patience)
        fail.delay().get(timeout=patience, propagate=False)
        assert seen.wait(patience), tasks
        for each, subject in list(tasks):
            told.append([each.name, subject, each.exception, each.runtime is not None, each.sent is not None])
        stats = app.control.inspect(timeout=patience / 10).stats()
        queues = app.control.inspect(timeout=patience / 10).active_queues()
        info = connection.info()
        length = connection.default_channel.client.llen("celery")
        add.apply_async((1, 2), queue="idle")
        counted = connection.default_channel.queue_declare(queue="idle", passive=True).message_count
        receiver.should_stop = True
    own.stop()
    running.join(patience)
    processes = [len(each["pool"]["processes"]) for each in stats.values()]
    names = [queue["name"] for each in queues.values() for queue in each]
    print(json.dumps({"told": told, "processes": processes, "queues": names, "transport": info["transport"],
                      "waiting": [length, counted], "offset": utcoffset()}))  # fmt: skip


main()
