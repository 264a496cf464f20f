"""The contract of channels: notes go to all who listen now, and answers to who has asked.

A third contract beside brokers and result backends: nothing is kept for those who come later, nothing is acknowledged. What must
not be lost belongs to a broker. An implementation keeps all of it, and proves it with `umbel.testing.contracts.ChannelContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

FANOUT, REPLIES = "celery.pidbox", "reply.celery.pidbox"
"""Topics of remote control as Celery names them by default: what is asked of all, and where answers go."""
EVENTS = "celeryev"
"""The topic of events."""
MOST = 1000
"""Notes that one `receive` gives at most."""


class Note(msgspec.Struct, gc=False):
    """Something that is told to all who listen, or to one who has asked."""

    topic: str
    """What it is about: kombu's name of an exchange."""
    key: str = ""
    """What it is about, more closely (`worker.heartbeat`): kombu's routing key."""
    body: bytes = b""
    headers: dict[str, Any] = msgspec.field(default_factory=dict)
    content_type: str = "application/json"
    content_encoding: str = "utf-8"
    delivery_mode: int = 1
    """AMQP's: 1 of what passes, 2 of what a server would keep over its restart; stores of umbel's keep neither."""


class Subscription(ABC):
    """Listens for one who reads, from the moment of `subscribe` or of `box` until it is closed.

    One thread reads; `close` comes from any. What comes while nobody reads waits within bounds of the store's; beyond them the
    oldest is lost, and counted.
    """

    lost: int = 0
    """How many notes have been lost, at least: as the reader was too slow, or the store was away."""

    @abstractmethod
    def receive(self, wait: float) -> list[Note]:
        """What has come, at most `MOST`, as soon as there is any; `[]` after `wait` seconds, or once it is closed.

        It comes in the order in which each of the others has published it. Raises `BrokerDown` if the store cannot be reached;
        the next call begins anew, and what was published meanwhile is lost.
        A caller that waits for nothing costs (nearly) nothing, however long `wait` is.
        """

    @abstractmethod
    def close(self) -> None:
        """End it, and a `receive` that waits. Twice is the same as once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Box(Subscription):
    """A subscription for answers, with an address that no other has."""

    exchange: str
    address: str


class Channel(ABC):
    """Carries notes to all who listen now.

    1. Who has subscribed when `publish` begins gets the note, if the reader keeps up; who subscribes later does not.
    2. Topics are compared as a whole. `<topic>/<glob>` is for the notes of this topic whose key the glob fits, as far as `*` and
       `?` go: `celeryev/worker.*`.
    3. Any method from any thread; after `fork` a child may use the channel, but not the subscriptions of its parent.
    4. Only `BrokerDown` (try again) and `BrokerRefused` (never will) are raised, native errors chained.
    """

    url: str
    """Where it is, without credentials."""

    @abstractmethod
    def publish(self, notes: Sequence[Note]) -> int:
        """Tell these, in this order, in as few exchanges as it takes.

        Gives how many subscriptions of whatever program the note with the most of them has reached; 0 says that nobody listens,
        which costs next to nothing to find out. Some of those counted may be gone by now.
        """

    @abstractmethod
    def subscribe(self, topics: Sequence[str], *, name: str = "") -> Subscription:
        """Listen to these topics from now on.

        `name`: what tools of others see it as (`celery@host.celery.pidbox`), where the store has a place for that.
        """

    @abstractmethod
    def box(self, exchange: str = REPLIES) -> Box:
        """A new box for answers."""

    @abstractmethod
    def reply(self, exchange: str, address: str, notes: Sequence[Note]) -> None:
        """Put answers into a box. Where nobody has (or has any more) a box of this address, that is no error."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; subscriptions end when they are closed themselves."""


def fits(topics: Sequence[str], topic: str, key: str) -> bool:
    """True if one of these is for a note of that topic and key."""
    from fnmatch import fnmatchcase  # for stores that have to sort notes themselves

    for wanted in topics:
        name, _, pattern = wanted.partition("/")
        if name == topic and (not pattern or fnmatchcase(key, pattern)):
            return True
    return False
