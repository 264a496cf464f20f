"""What happens to tasks and workers, told while it happens: `app.events`.

with app.events.Receiver(handlers={"task-failed": print}) as receiver:
    receiver.capture()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from umbel.events.dispatcher import Dispatcher as DispatcherOf
from umbel.events.sender import Sender
from umbel.events.tasks import sent
from umbel.signals import worker_process_shutdown
from umbel.stores.channel import Note
from umbel.wire.encoding import accept_types, dumps
from umbel.wire.protocol import headers, origin

if TYPE_CHECKING:
    from umbel.client.current import App
    from umbel.events.receiver import Handler
    from umbel.events.receiver import Receiver as ReceiverOf
    from umbel.stores.channel import Channel
    from umbel.wire.envelope import Envelope

LAST_WORDS = 0.5
"""Seconds for which a process that ends waits until its last events are sent."""


class Events:
    """Makes what tells of events, what listens to them, and what keeps a picture of all that they tell."""

    def __init__(self, app: App):
        self.app = self._app = app
        self._sender: Sender | None = None

    @property
    def sender(self) -> Sender:
        """The way out of this program's events."""
        if self._sender is None:
            conf = self._app.conf
            worker_process_shutdown.connect(self._leave)
            self._sender = Sender(lambda: self._app.channel, exchange=conf.event_exchange, serializer=conf.event_serializer)
        return self._sender

    def _leave(self, **_: Any) -> None:
        """A worker's child process ends: what its tasks have told goes first."""
        if self._sender is not None:
            self._sender.flush(LAST_WORDS)

    def close(self) -> None:
        """Send what waits, and let go of the way out; a later event opens it anew."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close(LAST_WORDS)

    def of_node(self, hostname: str | None = None, **options: Any) -> DispatcherOf:
        """Tells of events as a node of that name; without one, as this program. Nobody ever waits for it."""
        return DispatcherOf(self.sender, hostname=hostname or origin(), clock=self._app.clock, **options)

    def Dispatcher(self, hostname: str | None = None, **options: Any) -> Any:  # noqa: N802 - Celery's name
        """The same, by the name that people know; options are `groups` and `enabled`."""
        return self.of_node(hostname, **options)

    def default_dispatcher(self) -> Any:
        """That of this program."""
        return self.of_node()

    def Receiver(  # noqa: N802 - Celery's name
        self, channel: Any = None, handlers: Mapping[str, Handler] | None = None, routing_key: str = "#"
    ) -> Any:
        """Listens to events: `handlers` by their types, `"*"` for all others. `channel`: another than the app's, if given."""
        return self.listener(channel, handlers, routing_key)

    def listener(
        self, channel: Channel | None, handlers: Mapping[str, Handler] | None = None, routing_key: str = "#"
    ) -> ReceiverOf:
        """The same, whatever a subclass makes of the name that people know."""
        from umbel.events.reading import Reader  # as few tell and listen, too
        from umbel.events.receiver import Receiver

        conf = self._app.conf
        return Receiver(
            self._app.channel if channel is None else channel,
            handlers,
            routing_key,
            reader=Reader(self._app.clock, accept_types({*conf.accept_content, conf.event_serializer})),
            exchange=conf.event_exchange,
            wakeup=self.wake_workers,
        )

    @property
    def State(self) -> Any:  # noqa: N802 - Celery's name
        """Keeps a picture of all that events tell."""
        from umbel.events.state import State  # only those who watch need it

        return State

    def sent(self, envelope: Envelope, then: Callable[[], None] | None) -> Callable[[], None]:
        """What tells that this message was sent, once it is, after what `then` does."""

        def tell() -> None:
            if then is not None:
                then()
            known = headers(envelope, frozenset({envelope.content_type}))
            self.of_node().send("task-sent", **sent(known, envelope))

        return tell

    def wake_workers(self) -> None:
        """Ask all workers to tell that they are there, now."""
        self.ask_workers("heartbeat")

    def ask_workers(self, method: str) -> None:
        """Ask something of all workers, and wait for no answer."""
        conf = self._app.conf
        asked: dict[str, Any] = {"method": method, "arguments": {}, "destination": None, "pattern": None, "matcher": None}
        kind, codec, body = dumps(asked)
        headers = {"clock": self._app.clock.forward(), "expires": 0}
        note = Note(f"{conf.control_exchange}.pidbox", "", body, headers, kind, codec, delivery_mode=2)
        self._app.channel.publish([note])
