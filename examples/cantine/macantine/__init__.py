"""The project. Its Celery app is loaded with it, so that `shared_task` and `celery -A macantine` find it."""

from macantine.celery import app as celery_app

__all__ = ["celery_app"]
