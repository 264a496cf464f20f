"""The Celery app, and what it does at which time: times are those of CELERY_TIMEZONE, Europe/Paris by default."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "macantine.settings")

app = Celery("macantine", include=["macantine.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")


def _at(task: str, **when: object) -> dict[str, object]:
    return {"task": f"macantine.tasks.{task}", "schedule": crontab(**when)}


app.conf.beat_schedule = {
    # Mails, in office hours.
    "users without canteen": _at("remind_users_without_canteen", minute=0, hour=10, day_of_week="mon-fri"),
    "canteens without purchases": _at("remind_canteens_without_purchases", minute=15, hour=10, day_of_week="tue"),
    "incomplete canteens": _at("remind_incomplete_canteens", minute=30, hour=10, day_of_week="thu"),
    "yearly declaration": _at("remind_yearly_declaration", minute=0, hour=9, day_of_month="1,15", month_of_year="1-3"),
    "monthly summaries": _at("send_monthly_summaries", minute=30, hour=8, day_of_month="1"),
    # Data: departments before totals, so that the night's export has both.
    "departments": _at("fill_departments", minute="*/20"),
    "product families": _at("fill_families", minute="*/30"),
    "totals": _at("fill_totals", minute=0, hour="*/2"),
    "datasets": _at("export_datasets", minute=30, hour=3),
    "contacts": _at("update_brevo_contacts", minute=0, hour=5),
    "contacts who left": _at("forget_brevo_contacts", minute=30, hour=5, day_of_week="sun"),
    "expired sessions": _at("delete_expired_sessions", minute=0, hour=4),
}
