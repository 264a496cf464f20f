"""A task for tests."""

from __future__ import annotations

from celery import shared_task


@shared_task(name="celery.ping")
def ping() -> str:
    """Say that a worker is there."""
    return "pong"
