"""Makes what sends, receives and holds events."""

from __future__ import annotations

from typing import Any

from umbel.client.remote.events import Events as EventsOf


class Events(EventsOf):
    """umbel's, with Celery's classes."""

    receiver_cls = "celery.events.receiver:EventReceiver"
    dispatcher_cls = "celery.events.dispatcher:EventDispatcher"
    state_cls = "celery.events.state:State"

    def __init__(self, app: Any = None):
        self.app = app
        super().__init__(app)

    @property
    def Receiver(self) -> Any:  # noqa: N802 - Celery's name
        """What receives events."""
        return self.app.subclass_with_self(self.receiver_cls, reverse="events.Receiver")

    @property
    def Dispatcher(self) -> Any:  # noqa: N802 - Celery's name
        """What sends events."""
        return self.app.subclass_with_self(self.dispatcher_cls, reverse="events.Dispatcher")

    @property
    def State(self) -> Any:  # noqa: N802 - Celery's name
        """What is known from events."""
        return self.app.subclass_with_self(self.state_cls, reverse="events.State")

    def default_dispatcher(self, hostname: str | None = None, enabled: bool = True, buffer_while_offline: bool = False) -> Any:
        """What sends events for this program; for a `with` block, too."""
        return self.Dispatcher(hostname=hostname, enabled=enabled, buffer_while_offline=buffer_while_offline)
