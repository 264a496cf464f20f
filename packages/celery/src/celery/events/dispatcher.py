"""What sends events."""

from __future__ import annotations

import os
import time
from typing import Any

from celery.app import app_or_default
from celery.events._place import channel_of
from celery.events.event import Event, get_exchange, group_from
from celery.utils.nodenames import anon_nodename
from celery.utils.time import utcoffset
from umbel.events.sender import Sender, Waiting


class EventDispatcher:
    """Sends events, in a thread that nobody waits for.

    What Celery's arguments say about buffers and about trying again is accepted and changes nothing: who sends never waits, and
    while the store is away events are dropped.
    """

    DISABLED_TRANSPORTS = {"sql"}  # noqa: RUF012 - Celery's
    app: Any = None
    on_enabled: Any = None
    on_disabled: Any = None

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
        self.app = app_or_default(app or self.app)
        self.connection = connection
        self.channel = channel
        self.hostname = hostname or anon_nodename()
        self.buffer_while_offline = buffer_while_offline
        self.buffer_group = buffer_group or frozenset()
        self.buffer_limit = buffer_limit
        self.on_send_buffered = on_send_buffered
        self.groups = set(groups or ())
        self.delivery_mode = delivery_mode
        self.serializer = serializer or self.app.conf.event_serializer
        self.clock = self.app.clock
        self.tzoffset = [-time.timezone, -time.altzone]
        self.pid = os.getpid()
        self.headers = {"hostname": self.hostname}
        self.on_enabled, self.on_disabled = set(), set()
        self._own: Sender | None = None
        self.enabled = False
        if enabled:
            self.enable()

    @property
    def _sender(self) -> Sender:
        """The app's, unless this one's place or serializer is another."""
        conf = self.app.conf
        if self._own is None:
            other = channel_of(self.app, self.connection or self.channel)
            if other is None and self.serializer == conf.event_serializer:
                return self.app.events.sender  # type: ignore[no-any-return]  # one
            self._own = Sender(
                lambda: self.app.channel if other is None else other, exchange=conf.event_exchange, serializer=self.serializer
            )
        return self._own

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def exchange(self) -> Any:
        """kombu's exchange of events."""
        return get_exchange(self.connection or self.app.connection_for_write(), name=self.app.conf.event_exchange)

    @property
    def publisher(self) -> Any:
        """A kombu producer for events, on the connection that it was given."""
        from kombu import Producer

        channel = self.channel or self.connection or self.app.connection_for_write()
        return Producer(channel, exchange=self.exchange, serializer=self.serializer, auto_declare=False)

    def enable(self) -> None:
        """Send from now on."""
        self.enabled = True
        for callback in self.on_enabled:
            callback()

    def disable(self) -> None:
        """Send nothing any more."""
        if self.enabled:
            self.enabled = False
            self.close()
            for callback in self.on_disabled:
                callback()

    def publish(self, type: str, fields: Any, producer: Any, blind: bool = False, Event: Any = Event, **kwargs: Any) -> Any:  # noqa: N803 - Celery's
        """Send an event by a kombu producer, now."""
        moment = None if blind else self.clock.forward()
        event = Event(type, hostname=self.hostname, utcoffset=utcoffset(), pid=self.pid, clock=moment, **fields)
        return producer.publish(
            event,
            routing_key=type.replace("-", "."),
            exchange=self.exchange.name,
            headers=self.headers,
            serializer=self.serializer,
            delivery_mode=self.delivery_mode,
            **{name: kwargs[name] for name in ("retry", "retry_policy") if kwargs.get(name) is not None},
        )

    def send(
        self,
        type: str,
        blind: bool = False,
        utcoffset: Any = utcoffset,
        retry: bool = False,
        retry_policy: Any = None,
        Event: Any = Event,  # noqa: N803 - Celery's
        **fields: Any,
    ) -> Any:
        """Send an event some time soon."""
        group = group_from(type)
        if not self.enabled or (self.groups and group not in self.groups):
            return None
        moment = None if blind else self.clock.forward()
        event = Event(type, hostname=self.hostname, utcoffset=utcoffset(), pid=os.getpid(), clock=moment, **fields)
        several = group in self.buffer_group
        key = group if several else type.replace("-", ".")
        self._sender.send((Waiting(self.hostname, [event] if several else event, key, several),))
        if group in self.buffer_group and self.on_send_buffered is not None:
            self.on_send_buffered()
        return None

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Wait until all is sent, a second at most."""
        self._sender.flush(1.0)

    def extend_buffer(self, other: Any) -> None:
        """Nothing: another's events wait to be sent as its own do."""

    def close(self) -> None:
        """Send what waits."""
        self.flush()
        if self._own is not None:
            self._own.close()

    def _get_publisher(self) -> Any:
        return self.publisher

    def _set_publisher(self, producer: Any) -> None:
        """Accepted: `publish` takes a producer of its own."""
