"""The channel on Redis: kombu's fanout exchanges and reply queues, key for key and byte for byte.

    <prefix>/<db>.<topic>[/<key>]           published: notes that go to all
    <prefix><address>.<exchange>            list: the answers in a box; ends by itself
    <prefix>_kombu.binding.<exchange>       set of "<address>SEPSEP<address>.<exchange>": the boxes that there are

What waits for a slow reader waits in the server, up to its `client-output-buffer-limit pubsub` (32 MB by default); then the
server closes the connection, and all of it is lost.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from umbel import clock, guise
from umbel.errors import BrokerDown, BrokerError, DecodeError
from umbel.stores.channel import MOST, REPLIES, Box, Channel, Note, Subscription, fits
from umbel.stores.place import Place
from umbel.stores.redis import note as kombu
from umbel.stores.redis.link import Command, Link, Wire
from umbel.stores.redis.scripts import ChannelScripts
from umbel.stores.redis.server import Server, server_at, truth
from umbel.wire.ids import new_id

log = guise.logger("umbel.stores")

SILENT = 30.0
"""Seconds of silence after which the server is asked whether it is still there; after as many more it counts as gone."""
BINDINGS = 3600
"""Seconds for which boxes are known after the last was made; kombu gives as many."""
LIFE = 60.0
"""Seconds for which answers lie in a box that nobody empties."""
AT_ONCE = 1000
"""Notes in one exchange."""


_OF_BROKERS = ("visibility_timeout", "priority_steps", "celery_workers", "unacked_key", "unacked_index_key", "unacked_mutex_key")
"""Options of a broker that say nothing to a channel."""


def open_channel(place: Place) -> RedisChannel:
    """The channel where the URL and the options say. Here, as who only asks workers loads no broker."""
    for option in _OF_BROKERS:
        place.take(option, None)
    fanout = place.take("fanout_prefix", True)
    is_own = isinstance(fanout, str) and fanout[:1] == "/"
    keyed = truth(place.take("fanout_patterns", True))
    channel = RedisChannel(
        server_at(place),
        prefix=str(place.take("global_keyprefix", "") or ""),
        sep=str(place.take("sep", "") or "\x06\x16"),
        fanout=str(fanout) if is_own else "/{db}." if truth(fanout) else "",
        keyed=keyed,
    )
    place.done()
    return channel


class RedisChannel(Channel):
    """The channel in one database. `prefix` is put in front of all names, as kombu does."""

    def __init__(self, server: Server, *, prefix: str = "", sep: str = "\x06\x16", fanout: str = "/{db}.", keyed: bool = True):
        """`fanout`: what stands in front of topics; `keyed`: whether keys are told apart by the server."""
        self.url = server.url
        self.link = Link(server)
        self.prefix = prefix
        self.sep = sep
        self._start = prefix + fanout.replace("{db}", str(server.db))
        self.keyed = keyed
        self._scripts = ChannelScripts({"P": prefix, "SEP": sep})

    def place(self, topic: str, key: str) -> str:
        """Where notes of this topic and key are published."""
        return f"{self._start}{topic}/{key}" if self.keyed and key else f"{self._start}{topic}"

    def listening(self, topics: Sequence[str]) -> list[Command]:
        """What subscribes to these topics."""
        plain, patterns = [], []
        for topic in topics:
            name, _, key = topic.partition("/")
            if not key:
                plain.append(f"{self._start}{name}")
            if self.keyed:
                patterns.append(f"{_literal(self._start + name)}/{key or '*'}")
            elif key:
                plain.append(f"{self._start}{name}")
        commands: list[Command] = []
        if plain:
            commands.append(("SUBSCRIBE", *plain))
        if patterns:
            commands.append(("PSUBSCRIBE", *patterns))
        return commands

    def publish(self, notes: Sequence[Note]) -> int:
        most = 0
        for start in range(0, len(notes), AT_ONCE):
            commands: list[Command] = [
                ("PUBLISH", self.place(note.topic, note.key), kombu.write(note, note.topic, note.key))
                for note in notes[start : start + AT_ONCE]
            ]
            most = max(most, *self.link.ask_all(commands))
        return most

    def subscribe(self, topics: Sequence[str], *, name: str = "") -> Subscription:
        found = RedisSubscription(self, tuple(topics), name)
        try:
            found.open()
        except BrokerError:
            found.close()
            raise
        return found

    def box(self, exchange: str = REPLIES) -> Box:
        found = RedisBox(self, exchange)
        try:
            found.open()
        except BrokerError:
            found.close()
            raise
        return found

    def reply(self, exchange: str, address: str, notes: Sequence[Note]) -> None:
        elements = [kombu.write(note, exchange, address) for note in notes]
        if elements:
            self.link.run(self._scripts.reply(exchange, address, int(LIFE * 1000), elements))

    def bind(self, exchange: str, key: str, queue: str) -> list[Command]:
        """What makes a binding known."""
        name = f"{self.prefix}_kombu.binding.{exchange}"
        return [("SADD", name, f"{key}{self.sep}{self.sep}{queue}"), ("EXPIRE", name, BINDINGS)]

    def unbind(self, exchange: str, key: str, queue: str) -> Command:
        """What ends it."""
        return ("SREM", f"{self.prefix}_kombu.binding.{exchange}", f"{key}{self.sep}{self.sep}{queue}")

    def close(self) -> None:
        self.link.close()


class _Waiting:
    """A connection on which one thread waits; `close` comes from others, and rings."""

    def __init__(self, channel: RedisChannel):
        self._channel = channel
        self._wire: Wire | None = None
        self._closed = False
        self._bell = socket.socketpair()
        self._reading = threading.Lock()

    def _sleep(self, wire: Wire, seconds: float) -> bool:
        """True as soon as there is something to read, False after so many seconds or once it is closed."""
        if wire.has_more():
            return True
        poll = select.poll()
        poll.register(wire.fileno(), select.POLLIN)
        poll.register(self._bell[0].fileno(), select.POLLIN)
        ready = {number for number, _ in poll.poll(max(seconds, 0) * 1000)}
        return bool(ready) and not self._closed

    def _is_over(self, until: float) -> bool:
        return self._closed or clock.monotonic() >= until

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def close(self) -> None:
        """End it, and what waits."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._bell[1].send(b"!")
        with self._reading:  # nobody is in the middle of anything any more
            self._farewell()
            self._drop()
            for each in self._bell:
                each.close()

    def _farewell(self) -> None:
        """Tell the server."""


class RedisSubscription(_Waiting, Subscription):
    """A subscription, on a connection of its own; it subscribes anew after that has been lost."""

    refused = 0
    """How much came that was no note."""

    def __init__(self, channel: RedisChannel, topics: tuple[str, ...], name: str):
        super().__init__(channel)
        self._topics = topics
        self._name = name
        self._keyed = channel.keyed

    def open(self) -> Wire:
        """Connect and subscribe."""
        channel = self._channel
        commands = channel.listening(self._topics)
        wire = channel.link.open()
        try:
            wire.say(*commands)
            for _ in range(sum(len(command) - 1 for command in commands)):
                wire.hear()
            if self._name:
                channel.link.ask_all(channel.bind(self._topics[0], "", self._name))
        except BrokerError:
            wire.close()
            raise
        wire.within(channel.link.server.timeout)
        self._wire, self._heard, self._asked = wire, clock.monotonic(), False
        return wire

    def receive(self, wait: float) -> list[Note]:
        with self._reading:
            try:
                return self._receive(clock.monotonic() + wait)
            except BrokerDown:
                self.lost += 1  # at least: what was on its way
                self._drop()
                raise

    def _receive(self, until: float) -> list[Note]:
        found: list[Note] = []
        while not self._closed and not found:
            wire = self._wire or self.open()
            now = clock.monotonic()
            silence = self._heard + (2 * SILENT if self._asked else SILENT) - now
            if self._sleep(wire, min(until - now, silence)):
                self._hear(wire, found)
                self._heard, self._asked = clock.monotonic(), False
            elif self._is_over(until):
                break
            elif self._asked:
                raise BrokerDown(f"{self._channel.url} does not answer")
            else:
                wire.say(("PING",))
                self._asked = True
        return found

    def _hear(self, wire: Wire, found: list[Note]) -> None:
        """Read what has come."""
        wire.within(self._channel.link.server.timeout)
        while True:
            reply: Any = wire.hear()
            if reply[0] in (b"message", b"pmessage"):
                try:
                    note = kombu.read(reply[-1])
                except DecodeError as error:
                    self.refused += 1
                    if self.refused == 1:
                        text = "%s: something on the channel %r is no note: %s (whatever else is none is refused silently)"
                        log.error(text, self._channel.url, reply[-2], error)
                else:
                    if self._keyed or fits(self._topics, note.topic, note.key):
                        found.append(note)
            if len(found) >= MOST or not wire.has_more():
                return

    def _farewell(self) -> None:
        if self._name:
            with contextlib.suppress(BrokerError):  # it is forgotten some time
                self._channel.link.ask(*self._channel.unbind(self._topics[0], "", self._name))


class RedisBox(_Waiting, Box):
    """A box, which is a list: what is put into it waits in the server."""

    def __init__(self, channel: RedisChannel, exchange: str):
        super().__init__(channel)
        self.exchange = exchange
        self.address = new_id()
        self._queue = f"{self.address}.{exchange}"
        self._asking = False

    def open(self) -> None:
        """Make it known."""
        self._channel.link.ask_all(self._channel.bind(self.exchange, self.address, self._queue))

    def receive(self, wait: float) -> list[Note]:
        with self._reading:
            try:
                return self._receive(clock.monotonic() + wait)
            except BrokerDown:
                self._drop()
                raise

    def _drop(self) -> None:
        super()._drop()
        self._asking = False

    def _receive(self, until: float) -> list[Note]:
        found: list[Note] = []
        key = self._channel.prefix + self._queue
        while not self._closed and not found:
            if self._wire is None:
                self._wire = self._channel.link.open()
            wire = self._wire
            if not self._asking:
                wire.say(("BRPOP", key, 0))
                self._asking = True
            if self._sleep(wire, until - clock.monotonic()):
                wire.within(self._channel.link.server.timeout)
                _, element = wire.hear()
                self._asking = False
                found += self._notes([element])
                found += self._notes(self._rest(wire, key))
            elif self._is_over(until):
                break
        return found

    def _rest(self, wire: Wire, key: str) -> list[bytes]:
        """What else is there, without waiting for it."""
        wire.say(("RPOP", key, MOST - 1))
        return wire.hear() or []

    def _notes(self, elements: Sequence[bytes]) -> Iterator[Note]:
        for element in elements:
            try:
                yield kombu.read(element)
            except DecodeError as error:
                log.error("%s: an answer in %r is none: %s", self._channel.url, self._queue, error)

    def _farewell(self) -> None:
        channel = self._channel
        with contextlib.suppress(BrokerError):  # both end by themselves
            channel.link.ask_all(
                [channel.unbind(self.exchange, self.address, self._queue), ("DEL", channel.prefix + self._queue)]
            )


def _literal(text: str) -> str:
    """As a pattern that fits nothing else."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
