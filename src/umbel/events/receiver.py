"""Listens to events: each comes to the handler of its type, in the order in which one who tells them has sent them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from umbel import clock, guise
from umbel.errors import BrokerDown
from umbel.events.event import Event, is_meant, key_of
from umbel.events.reading import Reader
from umbel.stores.channel import EVENTS, Channel, Subscription

log = guise.logger("umbel.events")

Handler = Callable[[Event], Any]

STEP = 1.0
"""Seconds after which one that waits looks whether it is to stop."""
PAUSE = 1.0
"""Seconds for which a store that is away is left alone."""


class Receiver:
    """Gives events to handlers, by their type; `"*"` is for all that have none of their own.

    What a handler raises ends `capture`, and is raised there. While the store is away it keeps trying; what happens then is lost.
    """

    def __init__(
        self,
        channel: Channel,
        handlers: Mapping[str, Handler] | None = None,
        routing_key: str = "#",
        *,
        reader: Reader,
        exchange: str = EVENTS,
        wakeup: Callable[[], Any] | None = None,
    ):
        """`routing_key`: which events (`task.#`, `worker.heartbeat`); `wakeup` asks all workers to tell that they are there."""
        self.channel = channel
        self.handlers: dict[str, Handler] = dict(handlers or {})
        self.routing_key = routing_key
        self.reader = reader
        self._exchange = exchange
        self._wakeup = wakeup
        self._subscription: Subscription | None = None
        self._stopping = threading.Event()
        self._is_away = False
        self.lost = 0
        """How many messages came too fast, or while the store was away: at least so many."""

    def capture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> None:
        """Take in `limit` events (None: without end), until `stop`; raises TimeoutError after `timeout` seconds without any."""
        for _ in self.captured(limit, timeout, wakeup):
            pass

    def captured(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> Iterator[Event]:
        """The same, and gives each event once it is handled."""
        self._stopping.clear()
        count, quiet_since = 0, clock.monotonic()
        self.open()
        if wakeup:
            self.wake_workers()
        try:
            while not self._stopping.is_set():
                wait = STEP if timeout is None else min(STEP, max(0.0, quiet_since + timeout - clock.monotonic()))
                events = self.receive(wait)
                for each in events:
                    self.process(each)
                    yield each
                    count += 1
                    if limit and count >= limit:
                        return
                if events:
                    quiet_since = clock.monotonic()
                elif timeout is not None and clock.monotonic() >= quiet_since + timeout:
                    raise TimeoutError(f"no event came within {timeout:g} s")
        finally:
            self.close()

    def open(self) -> None:
        """Listen from now on. Raises BrokerDown if the store is away."""
        if self._subscription is None:
            self._subscription = self.channel.subscribe((self._exchange,))

    def receive(self, wait: float) -> list[Event]:
        """The events that have come, as soon as there are any; none after `wait` seconds. They are not handled yet."""
        self.open()
        assert self._subscription is not None
        try:
            notes = self._subscription.receive(wait)
        except BrokerDown as problem:
            if not self._is_away:
                log.warning("Events cannot be received, trying again until they can: %s", problem)
            self._is_away = True
            self._stopping.wait(min(wait, PAUSE))
            return []
        if self._is_away:
            log.warning("Events are received again; what happened meanwhile is not known")
            self._is_away = False
        self.lost = self._subscription.lost
        found: list[Event] = []
        for note in notes:
            events = self.reader.read(note.body, note.content_type, note.content_encoding)
            if self.routing_key != "#":
                events = [each for each in events if is_meant(self.routing_key, key_of(each["type"]))]
            found += events
        return found

    def wake_workers(self) -> None:
        """Ask all workers to tell that they are there."""
        if self._wakeup is not None:
            self._wakeup()

    def process(self, event: Event) -> None:
        """Give an event to its handler."""
        handler = self.handlers.get(event["type"]) or self.handlers.get("*")
        if handler is not None:
            handler(event)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def stop(self) -> None:
        """End `capture`, from any thread."""
        self._stopping.set()
        if (subscription := self._subscription) is not None:
            subscription.close()

    def close(self) -> None:
        """Listen no more."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
