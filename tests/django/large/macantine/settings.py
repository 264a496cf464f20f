"""Settings of a large project, Sentry's SDK included."""

import os
from pathlib import Path

import sentry_sdk
from celery.schedules import crontab  # noqa: F401 - as people leave it there
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

BASE_DIR = Path(__file__).resolve().parent.parent


class Written(Transport):
    """Writes down what would go to Sentry: of each item its kind, and what an error was."""

    def capture_envelope(self, envelope):
        with (BASE_DIR / "sentry.log").open("a") as file:
            for item in envelope.items:
                event = item.payload.json if item.payload and item.payload.json else {}
                values = (event.get("exception") or {}).get("values") or [{}]
                tags = event.get("tags") or {}
                slug = event.get("monitor_slug")
                print(item.type, values[-1].get("value"), tags.get("celery_task_id") and "tagged", slug, file=file)


sentry_sdk.init(
    dsn="http://key@sentry.invalid/1",
    transport=Written,
    integrations=[DjangoIntegration(), CeleryIntegration(monitor_beat_tasks=True)],
    traces_sample_rate=0,
    send_default_pii=False,
)

SECRET_KEY = "for-tests"
DEBUG = False
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django_celery_beat",
    "data",
    "api",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "macantine.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"},
    }
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Paris"

CELERY_BROKER_URL = os.environ["REDIS_URL"]
CELERY_RESULT_BACKEND = os.environ["REDIS_URL"]
CELERY_TIMEZONE = os.environ.get("CELERY_TIMEZONE", "Europe/Paris")
CELERY_ACCEPT_CONTENT = ["application/json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TRACK_STARTED = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 3
CELERY_WORKER_CONCURRENCY = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_MAX_LOOP_INTERVAL = 1

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"format": "macantine|%(levelname)s|%(name)s|%(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
