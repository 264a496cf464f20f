"""The app where most projects have it; the package's own __init__ is empty."""

import os

from celery import Celery

app = Celery("proj", broker=os.environ["BROKER"], backend=os.environ["BACKEND"], include=["proj.tasks"])
app.conf.update(result_expires=3600, task_track_started=True)
