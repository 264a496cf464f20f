"""One subscription for all who wait for results in this process, whatever their number.

A thread reads it while anybody waits. It tells each who waits which of his channels were heard, so that he looks at those and no
others, and what was told there: mostly the result itself, so that he need not look at all. A channel counts as heard when it is
newly subscribed to, too, since nothing is known of the time before. Of a channel that was looked at in vain, and not heard since,
it is known that there is nothing to see: who comes back to wait for it, as those do who wait for many in short rounds, need not
look again. So channels stay subscribed to for a moment after the last left.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping

from umbel import clock, guise
from umbel.errors import BrokerError
from umbel.stores.redis.link import Link, Wire

log = guise.logger("umbel.stores")

PAUSE = 0.2
"""Seconds between attempts to reach a server that is away."""
LINGER = 1.0
"""Seconds for which a channel is listened to after the last who waited has left."""
IDLE = 5.0
"""Seconds without any channel, after which the thread ends and its connection is closed."""
SILENT = 10.0
"""Seconds of silence after which the server is asked whether it is still there."""

SMALL = 16384
"""Bytes of a document that is kept for who waits; longer ones he has to fetch, so that who is slow does not hoard them."""
MANY = 1000
"""So many documents are kept for one who waits."""

Bell = tuple[socket.socket, socket.socket]
"""What the thread listens to beside the server, and what the others ring it with."""


class Heard:
    """What was heard, for one who waits."""

    def __init__(self) -> None:
        self._told: deque[tuple[bytes, bytes]] = deque()  # filled and emptied at its ends only: both are atomic
        self._event = threading.Event()

    def tell(self, name: bytes = b"", document: bytes = b"") -> None:
        """This channel was heard, and maybe this document on it; without a channel he is only woken."""
        if name:
            kept = len(document) <= SMALL and len(self._told) < MANY
            self._told.append((name, document if kept else b""))
        self._event.set()

    def wait(self, seconds: float) -> dict[bytes, bytes]:
        """The channels heard since the last time, as soon as there are any, and the last document of each, if it is known.

        None after `seconds`, or at the end.
        """
        self._event.wait(seconds)
        self._event.clear()
        told = {}
        with contextlib.suppress(IndexError):
            while True:
                name, document = self._told.popleft()
                told[name] = document
        return told


class Channel:
    """What is known of one channel."""

    __slots__ = ("looked", "news", "waiting")

    def __init__(self) -> None:
        self.waiting: set[Heard] = set()
        self.news = 0
        """Changes with all that is heard; 0 as long as it is not subscribed to."""
        self.looked = 0
        """`news` as it was before the last look that was in vain."""


class Listener:
    """Listens on the channels of those who wait. `_lock` guards all but the connection, which is the thread's alone."""

    def __init__(self, link: Link):
        self._link = link
        self._lock = threading.Lock()
        self._channels: dict[bytes, Channel] = {}
        self._new: set[bytes] = set()
        """Those that are to be subscribed to."""
        self._left: dict[bytes, float] = {}
        """Those for which nobody waits, and since when; the longest first."""
        self._news = itertools.count(1)
        self._thread: threading.Thread | None = None
        self._bell: Bell | None = None
        self._closed = False

    def marks(self, names: Collection[bytes]) -> dict[bytes, int]:
        """For those that may have something to see: what `looked` wants to know after a look at them."""
        with self._lock:
            known = self._channels
            return {name: known[name].news if name in known else 0 for name in names if not self._is_quiet(name)}

    def unheard(self, names: Collection[bytes]) -> list[bytes]:
        """Those of which nothing will be told by itself to who waits for them: they are to be looked at first."""
        with self._lock:
            return [name for name in names if name not in self._channels]

    def _is_quiet(self, name: bytes) -> bool:
        channel = self._channels.get(name)
        return channel is not None and channel.news == channel.looked != 0

    def looked(self, marks: Mapping[bytes, int]) -> None:
        """Note that there was nothing to see of these, whose marks were taken before the look."""
        with self._lock:
            for name, mark in marks.items():
                if (channel := self._channels.get(name)) is not None:
                    channel.looked = mark

    @contextlib.contextmanager
    def listening(self, names: Collection[bytes]) -> Iterator[Heard]:
        """Tells of these channels while the block runs; of those that may have something to see, as soon as it listens."""
        heard = Heard()
        with self._lock:
            for name in names:
                channel = self._channels.get(name)
                if channel is None:
                    channel = self._channels[name] = Channel()
                    self._new.add(name)
                elif channel.news and not self._is_quiet(name):
                    heard.tell(name)
                channel.waiting.add(heard)
                self._left.pop(name, None)
            if self._closed:
                heard.tell()
            elif self._new:
                self._ring()
        try:
            yield heard
        finally:
            with self._lock:
                now, was_none_left = clock.monotonic(), not self._left
                for name in names:
                    if (channel := self._channels.get(name)) is not None:
                        channel.waiting.discard(heard)
                        if not channel.waiting:
                            self._left[name] = now
                if was_none_left and self._left and not self._closed:
                    self._ring()

    def follow(self, names: Collection[bytes]) -> None:
        """Listen to these for a moment, though nobody waits for them now."""
        with self.listening(names):
            pass

    def _ring(self) -> None:
        """Let the thread know that there are new channels; start it if there is none, or none any more."""
        if self._thread is None or not self._thread.is_alive():
            self._bell = socket.socketpair()
            self._bell[1].setblocking(False)
            self._thread = threading.Thread(target=self._run, args=(self._bell,), name="umbel-results", daemon=True)
            self._thread.start()
        elif self._bell is not None:
            with contextlib.suppress(OSError):  # it is full of rings
                self._bell[1].send(b"!")

    def check(self) -> None:
        """Begin anew if the thread has died: nothing that was told since then was heard."""
        with self._lock:
            if self._thread is not None and not self._thread.is_alive() and not self._closed:
                self._ring()

    def _run(self, bell: Bell) -> None:
        with bell[0], bell[1]:
            bell[0].settimeout(PAUSE)
            while True:
                try:
                    if self._listen(bell[0]):
                        break
                except BrokerError:
                    _rung(bell[0])
                except Exception:  # or all who wait would do so in vain
                    log.exception("Listening for results has failed, and begins anew")
                    _rung(bell[0])
                if self._is_over():
                    break

    def _is_over(self) -> bool:
        """True if the thread is to end; it is then no longer known."""
        with self._lock:
            if len(self._channels) > len(self._left) and not self._closed:
                return False
            self._channels.clear()
            self._left.clear()
            self._new.clear()
            self._thread = self._bell = None
            return True

    def _listen(self, bell: socket.socket) -> bool:
        """Listen on one connection until nobody waits any more: then True."""
        wire = self._link.open()
        try:
            wire.say(("SUBSCRIBE", "umbel"))  # any: from now on the connection may say nothing else
            wire.hear()
            self._begin()
            return self._talk(wire, bell)
        finally:
            wire.close()

    def _begin(self) -> None:
        """On a new connection nothing is subscribed to, and nothing is known of what was told before."""
        with self._lock:
            for name in self._left:
                del self._channels[name]
            self._left.clear()
            for channel in self._channels.values():
                channel.news = 0
            self._new = set(self._channels)

    def _talk(self, wire: Wire, bell: socket.socket) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(wire, selectors.EVENT_READ)
            selector.register(bell, selectors.EVENT_READ)
            return self._listen_to(wire, bell, selector)

    def _listen_to(self, wire: Wire, bell: socket.socket, selector: selectors.BaseSelector) -> bool:
        asked = False
        idle_since = silent_since = clock.monotonic()
        while True:
            self._change(wire)
            now = clock.monotonic()
            if self._channels and not self._closed:
                idle_since = now
            elif self._closed or now - idle_since >= IDLE:
                if self._is_over():
                    return True
                continue
            patience = LINGER if self._left else SILENT if self._channels else IDLE
            ready = [key.fileobj for key, _ in selector.select(patience)]
            if bell in ready:
                _rung(bell)
            if wire in ready:
                self._hear(wire)
                asked, silent_since = False, clock.monotonic()
            elif self._channels and clock.monotonic() - silent_since >= SILENT:
                if asked:
                    return False
                wire.say(("PING",))
                asked, silent_since = True, clock.monotonic()

    def _change(self, wire: Wire) -> None:
        """Subscribe to what is new, and no longer to what was left long enough ago."""
        with self._lock:
            new, self._new = self._new, set()
            last = clock.monotonic() - LINGER
            old = list(itertools.takewhile(lambda name: self._left[name] <= last, self._left))
            for name in old:
                del self._left[name], self._channels[name]
                new.discard(name)
        if new:
            wire.say(("SUBSCRIBE", *new))
        if old:
            wire.say(("UNSUBSCRIBE", *old))

    def _hear(self, wire: Wire) -> None:
        """Read all that has come; a message is heard on its channel, and so is the word that it is subscribed to."""
        while True:
            kind, *rest = wire.hear()
            if kind in (b"message", b"subscribe"):
                with self._lock:
                    if (channel := self._channels.get(rest[0])) is not None:
                        channel.news = next(self._news)
                        document = rest[1] if kind == b"message" else b""
                        for heard in channel.waiting:
                            heard.tell(rest[0], document)
            if not wire.has_more():
                return

    def close(self) -> None:
        """Wake all who wait, and end the thread."""
        with self._lock:
            self._closed = True
            for channel in self._channels.values():
                for heard in channel.waiting:
                    heard.tell()
            thread = self._thread
            if self._bell is not None:
                with contextlib.suppress(OSError):
                    self._bell[1].send(b"!")
        if thread is not None and thread is not threading.current_thread():
            thread.join(0.5)  # the whole is to take less than a second, also on a busy machine


def _rung(bell: socket.socket) -> None:
    """Wait a moment for rings, and hear them."""
    with contextlib.suppress(TimeoutError):
        bell.recv(65536)
