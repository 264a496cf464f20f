"""A worker of the app that the first argument names, until it is told to stop; says when it is ready."""

import sys

sys.path.insert(0, "")

from celery.app.utils import find_app
from celery.signals import worker_ready

app = find_app(sys.argv[1])


@worker_ready.connect
def tell(**_):
    print("ready", file=sys.__stdout__, flush=True)


worker = app.Worker(
    concurrency=1,
    pool="prefork",
    loglevel="INFO",
    queues=sys.argv[2:] or None,
    without_mingle=True,
    without_gossip=True,
    without_heartbeat=True,
)
worker.start()
sys.exit(worker.exitcode)
