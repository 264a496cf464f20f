"""One subscription for all who wait for results in this process, whatever their number.

A thread reads it while anybody waits. It wakes those whose channel was heard, and all of them whenever its connection is new:
they look then, so that nothing that was told in between is missed.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence

from umbel import clock
from umbel.errors import BrokerError
from umbel.stores.redis.link import Link, Wire

PAUSE = 0.2
"""Seconds between attempts to reach a server that is away."""
IDLE = 5.0
"""Seconds without anybody who waits, after which the thread ends and its connection is closed."""
SILENT = 10.0
"""Seconds of silence after which the server is asked whether it is still there."""


class Heard:
    """Whether something was heard, for one who waits."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def tell(self) -> None:
        """Something was heard."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """True as soon as something was heard since the last time; False after `seconds`."""
        if not self._event.wait(seconds):
            return False
        self._event.clear()
        return True


class Listener:
    """Listens on the channels of those who wait. `_lock` guards who waits for what; the connection is the thread's alone."""

    def __init__(self, link: Link):
        self._link = link
        self._lock = threading.Lock()
        self._waiting: defaultdict[bytes, set[Heard]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._bell: tuple[int, int] | None = None
        self._closed = False

    @contextlib.contextmanager
    def listening(self, channels: Sequence[str]) -> Iterator[Heard]:
        """Tells of these channels while the block runs; at first as soon as it listens."""
        heard = Heard()
        names = [channel.encode() for channel in channels]
        with self._lock:
            for name in names:
                self._waiting[name].add(heard)
            self._ring()
        try:
            yield heard
        finally:
            with self._lock:
                for name in names:
                    self._waiting[name].discard(heard)
                    if not self._waiting[name]:
                        del self._waiting[name]
                self._ring()

    def _ring(self) -> None:
        """Let the thread know that the channels have changed; start it if there is none."""
        if self._closed:
            for heard in {one for all_ in self._waiting.values() for one in all_}:
                heard.tell()
        elif self._thread is None and self._waiting:
            self._bell = os.pipe()
            os.set_blocking(self._bell[1], False)
            self._thread = threading.Thread(target=self._run, args=(self._bell,), name="umbel-results", daemon=True)
            self._thread.start()
        elif self._bell is not None:
            with contextlib.suppress(BlockingIOError):  # it is full of rings
                os.write(self._bell[1], b"!")

    def _run(self, bell: tuple[int, int]) -> None:
        while True:
            try:
                if self._listen(bell[0]):
                    break
            except BrokerError:
                select.select([bell[0]], [], [], PAUSE)
            if self._is_over():
                break
        for end in bell:
            os.close(end)

    def _is_over(self) -> bool:
        """True if the thread is to end; it is then no longer known."""
        with self._lock:
            if self._waiting and not self._closed:
                return False
            self._thread = self._bell = None
            return True

    def _listen(self, bell: int) -> bool:
        """Listen on one connection until nobody waits any more: then True."""
        wire = self._link.open()
        try:
            wire.say(("SUBSCRIBE", "umbel"))  # any: from now on the connection may say nothing else
            wire.hear()
            return self._talk(wire, bell)
        finally:
            wire.close()

    def _talk(self, wire: Wire, bell: int) -> bool:
        subscribed: set[bytes] = set()
        poll = select.poll()
        poll.register(wire.fileno(), select.POLLIN)
        poll.register(bell, select.POLLIN)
        asked = False
        idle_since = clock.monotonic()
        while True:
            wanted = self._wanted()
            if wanted:
                idle_since = clock.monotonic()
            elif self._closed or clock.monotonic() - idle_since >= IDLE:
                if self._is_over():
                    return True
                continue
            subscribed = self._change(wire, subscribed, wanted)
            ready = [number for number, _ in poll.poll((SILENT if wanted else IDLE) * 1000)]
            if bell in ready:
                os.read(bell, 65536)
            if wire.fileno() in ready:
                self._hear(wire)
                asked = False
            elif not ready and wanted:
                if asked:
                    return False
                wire.say(("PING",))
                asked = True

    def _wanted(self) -> set[bytes]:
        with self._lock:
            return set(self._waiting)

    def _change(self, wire: Wire, subscribed: set[bytes], wanted: set[bytes]) -> set[bytes]:
        if more := wanted - subscribed:
            wire.say(("SUBSCRIBE", *more))
        if less := subscribed - wanted:
            wire.say(("UNSUBSCRIBE", *less))
        return wanted

    def _hear(self, wire: Wire) -> None:
        """Read all that has come; a message wakes its channel, and so does the word that it is subscribed to."""
        while True:
            kind, *rest = wire.hear()
            if kind in (b"message", b"subscribe"):
                with self._lock:
                    for heard in self._waiting.get(rest[0], ()):
                        heard.tell()
            if not wire.has_more():
                return

    def close(self) -> None:
        """Wake all who wait, and end the thread."""
        with self._lock:
            self._closed = True
            for all_ in self._waiting.values():
                for heard in all_:
                    heard.tell()
            thread = self._thread
            if self._bell is not None:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._bell[1], b"!")
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)
