"""What receives events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from typing import Any

from celery.app import app_or_default
from celery.events._place import channel_of
from celery.events.event import get_exchange
from celery.utils.time import adjust_timestamp
from umbel import clock
from umbel.events.receiver import STEP
from umbel.wire.ids import new_id

CLIENT_CLOCK_SKEW = -1
_TZGETTER = itemgetter("utcoffset", "timestamp")


class EventReceiver:
    """Receives events: `handlers` by their types, `"*"` for all others.

    What Celery's arguments say about the queue is accepted: on umbel's stores, as on Redis, there is none that could outlive it.
    """

    app: Any = None
    should_stop = False

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
        self.app = app_or_default(app or self.app)
        conf = self.app.conf
        self.channel = channel
        self.handlers = {} if handlers is None else handlers
        self.routing_key = routing_key
        self.node_id = node_id or new_id()
        self.queue_prefix = queue_prefix or conf.event_queue_prefix
        self.accept = {conf.event_serializer, "json"} if accept is None else accept
        self.clock = self.app.clock
        self.adjust_clock, self.forward_clock = self.clock.adjust, self.clock.forward
        self._queue = {
            "expires": conf.event_queue_expires if queue_expires is None else queue_expires,
            "message_ttl": conf.event_queue_ttl if queue_ttl is None else queue_ttl,
            "exclusive": conf.event_queue_exclusive if queue_exclusive is None else queue_exclusive,
            "durable": conf.event_queue_durable if queue_durable is None else queue_durable,
        }
        self._listener = self.app.events.listener(channel_of(self.app, channel), routing_key=routing_key)

    # Receiving

    def capture(self, limit: Any = None, timeout: Any = None, wakeup: bool = True) -> None:
        """Receive `limit` events, or until told to stop (`should_stop`); `socket.timeout` after so many seconds without any."""
        for _ in self.itercapture(limit, timeout, wakeup):
            pass

    def itercapture(self, limit: Any = None, timeout: Any = None, wakeup: bool = True) -> Iterator[Any]:
        """The same, event by event."""
        count, quiet_since = 0, clock.monotonic()
        self._listener.open()
        if wakeup:
            self.wakeup_workers()
        try:
            while not self.should_stop:
                wait = STEP if timeout is None else min(STEP, max(0.0, quiet_since + timeout - clock.monotonic()))
                events = self._listener.receive(wait)
                for event in events:
                    self.process(event["type"], event)
                    yield event
                    count += 1
                    if limit and count >= limit:
                        return
                    if self.should_stop:
                        return
                if events:
                    quiet_since = clock.monotonic()
                elif timeout is not None and clock.monotonic() >= quiet_since + timeout:
                    raise TimeoutError("timed out")  # which is socket.timeout
        finally:
            self._listener.close()

    def process(self, type: str, event: Any) -> None:
        """Give an event to its handler."""
        handler = self.handlers.get(type) or self.handlers.get("*")
        if handler is not None:
            handler(event)

    def wakeup_workers(self, channel: Any = None) -> None:
        """Ask all workers to tell that they are there."""
        self.app.events.wake_workers()

    def event_from_message(
        self,
        body: Any,
        localize: bool = True,
        now: Any = time.time,
        tzfields: Any = _TZGETTER,
        adjust_timestamp: Any = adjust_timestamp,
        CLIENT_CLOCK_SKEW: int = CLIENT_CLOCK_SKEW,  # noqa: N803 - Celery's
    ) -> tuple[str, Any]:
        """The type of an event and the event, with when it was received and times by this machine's clock."""
        type_: str = body["type"]
        if type_ == "task-sent":
            body["clock"] = (self.clock.value or 1) + CLIENT_CLOCK_SKEW
            self.adjust_clock(body["clock"])
        elif "clock" in body:
            self.adjust_clock(body["clock"])
        else:
            body["clock"] = self.forward_clock()
        if localize and "utcoffset" in body and "timestamp" in body:
            offset, timestamp = tzfields(body)
            body["timestamp"] = adjust_timestamp(timestamp, offset)
        body["local_received"] = now()
        return type_, body

    # kombu's side

    @property
    def connection(self) -> Any:
        """The kombu connection that it was given, if any."""
        return getattr(self.channel, "client", None) or self.channel

    @property
    def exchange(self) -> Any:
        """kombu's exchange of events."""
        return get_exchange(self.connection or self.app.connection_for_write(), name=self.app.conf.event_exchange)

    @cached_property
    def queue(self) -> Any:
        """A kombu queue for them."""
        from kombu import Queue

        name = f"{self.queue_prefix}.{self.node_id}"
        return Queue(name, exchange=self.exchange, routing_key=self.routing_key, auto_delete=True, **self._queue)

    def get_consumers(self, Consumer: Any, channel: Any) -> list[Any]:  # noqa: N803 - Celery's
        """kombu consumers, for who receives in kombu's way."""
        return [Consumer(queues=[self.queue], callbacks=[self._receive], no_ack=True, accept=self.accept)]

    def on_consume_ready(self, connection: Any, channel: Any, consumers: Any, wakeup: bool = True, **kwargs: Any) -> None:
        """Called by kombu once it receives."""
        if wakeup:
            self.wakeup_workers(channel=channel)

    def _receive(self, body: Any, message: Any) -> None:
        for each in body if isinstance(body, list) else [body]:
            self.process(*self.event_from_message(each))
