"""What an event is."""

from __future__ import annotations

import time
from typing import Any

from umbel.events.event import group_of

EVENT_EXCHANGE_NAME = "celeryev"


def Event(  # noqa: N802 - Celery's name
    type: str, _fields: Any = None, __dict__: Any = dict, __now__: Any = time.time, **fields: Any
) -> Any:
    """An event of that type: a dict with the fields, the type, and when it happened."""
    made = __dict__(_fields or {}, **fields)
    if "timestamp" not in made:
        made["timestamp"] = __now__()
    made["type"] = type
    return made


def group_from(type: str) -> str:
    """`task`, of `task-succeeded`."""
    return group_of(type)


def get_exchange(conn: Any, name: str = EVENT_EXCHANGE_NAME) -> Any:
    """The exchange of events, as the transport of a kombu connection has it."""
    from kombu import Exchange

    fans_out = conn.transport.driver_type in ("redis", "gcpubsub")
    return Exchange(name, type="fanout" if fans_out else "topic")


def exchange_of(module: str, name: str) -> Any:
    """`event_exchange`, which brings kombu; for any other name what becomes of it."""
    if name == "event_exchange":
        from kombu import Exchange

        return Exchange(EVENT_EXCHANGE_NAME, type="topic")
    from celery._names import absent

    raise absent(module, name)


def __getattr__(name: str) -> Any:
    return exchange_of(__name__, name)
