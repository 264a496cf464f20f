"""The channel in memory: among the threads of one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from umbel import clock
from umbel.stores.channel import MOST, REPLIES, Box, Channel, Note, Subscription, fits
from umbel.stores.memory.room import Room, room
from umbel.wire.ids import new_id

KEPT = 10_000
"""Notes that wait for one reader at most."""


class MemorySubscription(Subscription):
    """Notes that wait for one reader. The room's lock guards them."""

    def __init__(self, shared: Room, topics: Sequence[str], key: str | None = None):
        self._room = shared
        self._topics = tuple(topics)
        self._key = key
        self._notes: deque[Note] = deque()
        self._closed = False
        with shared.changed:
            shared.listeners[self] = None

    def offer(self, note: Note) -> bool:
        """Keep the note if it is for this reader; called under the room's lock."""
        if self._key is not None:
            if (note.topic, note.key) != (self._topics[0], self._key):
                return False
        elif not fits(self._topics, note.topic, note.key):
            return False
        if len(self._notes) >= KEPT:
            self._notes.popleft()
            self.lost += 1
        self._notes.append(note)
        return True

    def receive(self, wait: float) -> list[Note]:
        until = clock.monotonic() + wait
        changed = self._room.changed
        with changed:
            while not self._notes and not self._closed and (left := until - clock.monotonic()) > 0:
                changed.wait(left)
            if self._closed:
                return []
            return [self._notes.popleft() for _ in range(min(MOST, len(self._notes)))]

    def close(self) -> None:
        with self._room.changed:
            self._closed = True
            self._room.listeners.pop(self, None)
            self._room.changed.notify_all()


class MemoryBox(MemorySubscription, Box):
    """The same for one address."""

    def __init__(self, shared: Room, exchange: str):
        self.exchange = exchange
        self.address = new_id()
        super().__init__(shared, [exchange], self.address)


class MemoryChannel(Channel):
    """The channel of the memory store of that name."""

    def __init__(self, name: str):
        self.url = f"memory://{name}"
        self._room = room(name)

    def publish(self, notes: Sequence[Note]) -> int:
        if not self._room.listeners:
            return 0
        most = 0
        with self._room.changed:
            for note in notes:
                # Each listener has to look at all of them.
                most = max(most, sum([each.offer(note) for each in self._room.listeners]))
            if most:
                self._room.changed.notify_all()
        return most

    def subscribe(self, topics: Sequence[str], *, name: str = "") -> Subscription:
        return MemorySubscription(self._room, topics)

    def box(self, exchange: str = REPLIES) -> Box:
        return MemoryBox(self._room, exchange)

    def reply(self, exchange: str, address: str, notes: Sequence[Note]) -> None:
        self.publish([_readdressed(note, exchange, address) for note in notes])

    def close(self) -> None:
        """Nothing is open."""


def _readdressed(note: Note, exchange: str, address: str) -> Note:
    return Note(exchange, address, note.body, note.headers, note.content_type, note.content_encoding, note.delivery_mode)
