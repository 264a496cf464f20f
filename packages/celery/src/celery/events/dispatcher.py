"""What sends events: later."""

from __future__ import annotations

from typing import Any

from celery._names import later


class EventDispatcher:
    """Sends events."""

    def __init__(
        self,
        connection: Any = None,
        hostname: Any = None,
        enabled: bool = True,
        channel: Any = None,
        buffer_while_offline: bool = True,
        app: Any = None,
        serializer: Any = None,
        groups: Any = None,
        delivery_mode: int = 1,
        buffer_group: Any = None,
        buffer_limit: int = 24,
        on_send_buffered: Any = None,
    ):
        raise later("celery.events.EventDispatcher")
