"""Green threads; umbel starts a pool of threads in their place, and says so."""

from __future__ import annotations

from typing import Any

from celery.concurrency.base import BasePool


class TaskPool(BasePool):
    """Green threads; umbel starts a pool of threads in their place, and says so."""


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
