"""The tasks of the current app; an old place that others still look at."""

from __future__ import annotations

from typing import Any

from celery.local import Proxy


def _tasks() -> Any:
    from celery._state import get_current_app

    return get_current_app().tasks


tasks = Proxy(_tasks)
