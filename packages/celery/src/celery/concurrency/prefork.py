"""Processes."""

from __future__ import annotations

from typing import Any

from celery.concurrency.base import BasePool


class TaskPool(BasePool):
    """Processes."""


def process_initializer(app: Any, hostname: str | None) -> None:
    """Called in each process of a pool when it begins."""


def process_destructor(pid: int, exitcode: int) -> None:
    """Called in each process of a pool when it ends."""


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
