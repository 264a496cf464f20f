"""In the worker itself."""

from __future__ import annotations

from typing import Any

from celery.concurrency.base import BasePool


class TaskPool(BasePool):
    """In the worker itself."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
