"""django-celery-results keeps what becomes of tasks, django-celery-beat sends what is in its tables."""

import json
import os
import sys
import time

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="none",
    INSTALLED_APPS=["django.contrib.contenttypes", "django_celery_results", "django_celery_beat"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    USE_TZ=True,
    CELERY_RESULT_BACKEND="django-db",
    CELERY_RESULT_EXTENDED=True,
    CELERY_BROKER_URL="memory://",
    CELERY_CACHE_BACKEND="default",
)
django.setup()

from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)

from celery import Celery  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402
from django_celery_beat.models import IntervalSchedule, PeriodicTask  # noqa: E402
from django_celery_beat.schedulers import DatabaseScheduler  # noqa: E402
from django_celery_results.models import TaskResult  # noqa: E402

PATIENCE = float(os.environ["PATIENCE"])

app = Celery("proj")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("as asked")


every = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
PeriodicTask.objects.create(name="adding", task="proj.add", interval=every, args="[3, 4]")
scheduler = DatabaseScheduler(app=app)
with start_worker(app, perform_ping_check=False, loglevel="critical"):
    told = [add.delay(1, 2).get(timeout=PATIENCE), repr(fail.delay().get(timeout=PATIENCE, propagate=False))]
    end = time.monotonic() + PATIENCE
    while not PeriodicTask.objects.get(name="adding").total_run_count:
        assert time.monotonic() < end
        time.sleep(0.01)
        scheduler.tick()
        scheduler.sync()
    sent = add.app.AsyncResult("none").state
    while not TaskResult.objects.filter(result="7").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
        scheduler.tick()
rows = TaskResult.objects.exclude(result="7").order_by("id")
kept = [[row.task_name, row.status, row.result, row.task_args, row.periodic_task_name, bool(row.worker)] for row in rows]
periodic = TaskResult.objects.filter(result="7").first()
print(json.dumps({"told": told, "unknown": sent, "kept": kept, "periodic": [periodic.task_name, periodic.periodic_task_name]}))
