"""A project that says where messages are, and nothing else of umbel: it has no file that makes an app."""

import os

import django

FOLDER = os.path.dirname(__file__)
SECRET_KEY = "for-tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "umbel.django", "shop"]
if os.environ.get("BACKPORT"):
    INSTALLED_APPS.append("django_tasks")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(FOLDER, "project.sqlite3"),
        # Who reads before writing would else be told at once that the file is locked, by a worker that writes results meanwhile.
        "OPTIONS": {"timeout": 60, **({"transaction_mode": "IMMEDIATE"} if django.VERSION >= (5, 1) else {})},
    }
}
if "PG" in os.environ:
    words = {"USER": "tests", "PASSWORD": "secret", "HOST": "127.0.0.1", "PORT": os.environ["PG"]}
    pool = {"OPTIONS": {"pool": {"min_size": 2, "max_size": 4}}} if os.environ.get("POOL") else {}
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "project", **words, **pool}}
CACHES = {"default": {"BACKEND": "shop.cache.Counting"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Europe/Paris"
LANGUAGE_CODE = "fr"

UMBEL_BROKER_URL = f"sqlite:///{FOLDER}/queue.db"
UMBEL_RESULT_BACKEND = "django"
UMBEL_BEAT_STORE = "django"
UMBEL_WORKER_CONCURRENCY = 1
TASKS = {"default": {"BACKEND": "umbel.django.backend.UmbelBackend", "QUEUES": []}}
