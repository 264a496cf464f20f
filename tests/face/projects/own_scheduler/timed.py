"""A scheduler of somebody's own, and entries of each kind."""

import os
from datetime import timedelta

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import crontab, schedule

app = Celery("timed", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])


class Entry(ScheduleEntry):
    def is_due(self):
        is_due, wait = super().is_due()
        return is_due, min(wait, 0.05)


class Mine(Scheduler):
    Entry = Entry
    ticks = 0

    def setup_schedule(self):
        self.update_from_dict(self.app.conf.beat_schedule)

    def tick(self, *args, **kwargs):
        type(self).ticks += 1
        return super().tick(*args, **kwargs)

    def apply_entry(self, entry, producer=None):
        entry.options.setdefault("headers", {})["from"] = type(self).__name__
        return super().apply_entry(entry, producer=producer)


@app.task
def add(x, y):
    return x + y


app.conf.beat_schedule = {
    "soon": {"task": "timed.add", "schedule": 0.2, "args": (1, 2), "options": {"queue": "celery"}},
    "never": {"task": "timed.add", "schedule": crontab(minute=0, hour=0, day_of_month=1, month_of_year=1), "args": (1, 1)},
    "span": {"task": "timed.add", "schedule": timedelta(hours=5), "kwargs": {"x": 1, "y": 1}},
    "every": {"task": "timed.add", "schedule": schedule(run_every=3600), "args": (3, 3)},
}
