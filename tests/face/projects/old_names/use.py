import os

from oldapp import app
from oldtasks import routed, where

PATIENCE = float(os.environ["PATIENCE"])

QUEUES = ["old", "other"]


def use():
    conf = app.conf
    spelled = [
        conf.CELERY_DEFAULT_QUEUE,
        conf["CELERY_TRACK_STARTED"],
        conf.task_track_started,
        conf.get("BROKER_URL") == conf.broker_url,
    ]
    return {"where": where.delay().get(timeout=PATIENCE), "routed": routed.delay().get(timeout=PATIENCE), "spelled": spelled}


def send():
    where.delay()
    routed.delay()
