"""Pools by name. They are umbel's; what is here tells which there are."""

from __future__ import annotations

import os
from typing import Any

ALIASES = {
    "prefork": "celery.concurrency.prefork:TaskPool",
    "eventlet": "celery.concurrency.eventlet:TaskPool",
    "gevent": "celery.concurrency.gevent:TaskPool",
    "solo": "celery.concurrency.solo:TaskPool",
    "processes": "celery.concurrency.prefork:TaskPool",
    "threads": "celery.concurrency.thread:TaskPool",
}
_CUSTOM = os.environ.get("CELERY_CUSTOM_WORKER_POOL")
if _CUSTOM:
    ALIASES["custom"] = _CUSTOM


def get_implementation(cls: Any) -> Any:
    """The class of pools of that name."""
    from celery.utils.imports import symbol_by_name

    return symbol_by_name(cls, ALIASES)


def get_available_pool_names() -> tuple[str, ...]:
    """The names that `-P` takes."""
    return tuple(ALIASES)
