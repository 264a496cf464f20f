import datetime
import time

from celery.schedules import crontab, schedule
from timed import Entry, Mine, app


def use():
    made = Mine(app)
    entries = {name: [type(entry).__name__, entry.task, repr(entry.schedule)] for name, entry in sorted(made.schedule.items())}
    then = datetime.datetime(2026, 1, 1, 12, 30, tzinfo=datetime.UTC)
    is_due, wait = crontab(minute="*/15", hour="8-17", app=app, nowfun=lambda: then).is_due(then - datetime.timedelta(minutes=20))
    fields = crontab(minute="0,30", day_of_week="mon-fri")
    return {
        "entries": {name: found for name, found in entries.items() if not name.startswith("celery.")},
        "crontab": [is_due, wait, sorted(fields.minute), sorted(fields.day_of_week), repr(fields)],
        "equal": [schedule(10) == schedule(10), schedule(10) == schedule(11), crontab() == crontab(minute="*")],
        "entry": isinstance(made.schedule["soon"], Entry),
    }


def send():
    """Ticks until something was sent."""
    made = Mine(app)
    end = time.monotonic() + 10
    while not made.schedule["soon"].total_run_count and time.monotonic() < end:
        time.sleep(max(min(made.tick(), 0.05), 0))
    return made.schedule["soon"].total_run_count
