"""The project. Its Celery app is loaded with it, so that `shared_task` and `celery -A config` find it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
