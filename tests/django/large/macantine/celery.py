"""As large projects have it: modules named one by one, logging of the project's own, a schedule in code."""

import logging.config
import os

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "macantine.settings")

app = Celery(
    "macantine",
    include=[
        "macantine.tasks.contacts",
        "macantine.tasks.exports",
        "macantine.tasks.fill",
        "macantine.tasks.reminders",
        "data.tasks",
    ],
)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def config_loggers(*args, **kwargs):
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


daily, weekly, nightly = crontab(hour=10, minute=0), crontab(day_of_week="mon", hour=8, minute=0), crontab(hour=1, minute=0)
app.conf.beat_schedule = {
    "contacts": {"task": "macantine.tasks.contacts.update_brevo_contacts", "schedule": nightly},
    "bounces": {"task": "macantine.tasks.contacts.forget_bounced_contacts", "schedule": crontab(hour=2, minute="*/20")},
    "canteens out": {"task": "macantine.tasks.exports.export_canteens", "schedule": crontab(hour=3, minute=0)},
    "diagnostics out": {"task": "macantine.tasks.exports.export_diagnostics", "schedule": crontab(hour=3, minute=30)},
    "purchases out": {"task": "macantine.tasks.exports.export_purchases", "schedule": crontab(hour=4, minute=0)},
    "departments": {"task": "macantine.tasks.fill.fill_departments", "schedule": nightly},
    "geolocations": {"task": "macantine.tasks.fill.fill_geolocations", "schedule": nightly, "options": {"expires": 3600}},
    "sirets": {"task": "macantine.tasks.fill.fill_sirets", "schedule": weekly},
    "remind users": {"task": "macantine.tasks.reminders.remind_users", "schedule": daily},
    "remind managers": {"task": "macantine.tasks.reminders.remind_managers", "schedule": daily, "kwargs": {"weeks": 2}},
    "count": {"task": "data.tasks.count", "schedule": crontab(minute=0)},
    "heartbeat": {"task": "data.tasks.note", "schedule": 1.0, "args": ["beat"]},
}
