"""Events of tasks and workers."""

from __future__ import annotations

from typing import Any

from celery.events.dispatcher import EventDispatcher as EventDispatcher
from celery.events.event import Event as Event
from celery.events.event import get_exchange as get_exchange
from celery.events.event import group_from as group_from
from celery.events.receiver import EventReceiver as EventReceiver


def __getattr__(name: str) -> Any:
    from celery.events import event

    return event.exchange_of(__name__, name)
