"""Events of tasks and workers: later. Their classes have their place."""

from __future__ import annotations

from typing import Any

from celery.events.dispatcher import EventDispatcher as EventDispatcher
from celery.events.receiver import EventReceiver as EventReceiver


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
