"""What receives events: later."""

from __future__ import annotations

from typing import Any

from celery._names import later


class EventReceiver:
    """Receives events."""

    app: Any = None

    def __init__(
        self,
        channel: Any,
        handlers: Any = None,
        routing_key: str = "#",
        node_id: Any = None,
        app: Any = None,
        queue_prefix: Any = None,
        accept: Any = None,
        queue_ttl: Any = None,
        queue_expires: Any = None,
        queue_exclusive: Any = None,
        queue_durable: Any = None,
    ):
        raise later("celery.events.EventReceiver")

    def capture(self, limit: Any = None, timeout: Any = None, wakeup: bool = True) -> Any:
        """Receive events until told to stop."""
        raise later("EventReceiver.capture")
