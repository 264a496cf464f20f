"""The result backend in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from umbel import clock
from umbel.states import READY_STATES, may_replace
from umbel.stores.backend import ResultBackend
from umbel.stores.join import Arrival, Parts
from umbel.stores.memory.room import Room, room
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result


def keep(room: Room, results: Sequence[Result], expires: float | None) -> None:
    """Write the results; the caller is inside the room."""
    now = clock.now()
    until = None if expires is None else now + expires
    for result in results:
        old = _fresh(room, result.id, now)
        if old is None or may_replace(result.state, old.state):
            room.results.pop(result.id, None)  # the newest stand last
            room.results[result.id] = (result, until)
    if results:
        _sweep_first(room, now)


def _sweep_first(room: Room, now: float) -> None:
    """Drop what is past its age at the front: in a store whose results live equally long, that is all."""
    while room.results:
        id, (_, until) = next(iter(room.results.items()))
        if until is None or until > now:
            return
        del room.results[id]


def _fresh(room: Room, id: str, now: float) -> Result | None:
    result, until = room.results.get(id, (None, None))
    return None if until is not None and until <= now else result


class MemoryBackend(ResultBackend):
    """Results in the memory store `name`."""

    def __init__(self, name: str = "", *, expires: float | None = 86400.0):
        self.url = f"memory://{name}"
        self.expires = expires
        self.room = room(name)
        self._closed = False

    def store(self, results: Sequence[Result]) -> None:
        if not results:
            return
        with self.room.changed:
            keep(self.room, results, self.expires)
            self.room.changed.notify_all()

    def fetch(self, ids: Collection[str]) -> dict[str, Result]:
        with self.room.changed:
            now = clock.now()
            found = ((id, _fresh(self.room, id, now)) for id in ids)
            return {id: result for id, result in found if result is not None}

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        until = clock.monotonic() + timeout
        with self.room.changed:
            while not self._closed and ids:
                final = {id: result for id, result in self.fetch(ids).items() if result.state in READY_STATES}
                left = until - clock.monotonic()
                if final or left <= 0:
                    return final
                self.room.changed.wait(min(left, 1.0))
        return {}

    def expect(self, chord: str, size: int) -> None:
        with self.room.changed:
            self.room.chords.expect(chord, size, clock.now(), self.expires)

    def arrive(self, arrivals: Sequence[Arrival]) -> list[Envelope]:
        with self.room.changed:
            return self.room.chords.note(arrivals, clock.now(), self.expires, again=True)

    def parts(self, chord: str) -> Parts | None:
        with self.room.changed:
            found = self.room.chords.find(chord, clock.now())
            return None if found is None or found.is_done else found.read()

    def ended(self, chord: str) -> bool:
        with self.room.changed:
            return self.room.chords.ended(chord, clock.now())

    def done(self, chord: str) -> None:
        with self.room.changed:
            self.room.chords.done(chord, clock.now(), self.expires)

    def save_group(self, id: str, document: bytes, expires: float | None) -> None:
        with self.room.changed:
            self.room.groups[id] = document, None if expires is None else clock.now() + expires

    def group(self, id: str) -> bytes | None:
        with self.room.changed:
            document, until = self.room.groups.get(id, (None, None))
            return None if until is not None and until <= clock.now() else document

    def forget_group(self, id: str) -> None:
        with self.room.changed:
            self.room.groups.pop(id, None)

    def forget(self, ids: Sequence[str]) -> None:
        with self.room.changed:
            for id in ids:
                self.room.results.pop(id, None)

    def sweep(self) -> int:
        with self.room.changed:
            now = clock.now()
            old = [id for id, (_, until) in self.room.results.items() if until is not None and until <= now]
            for id in old:
                del self.room.results[id]
            self.room.chords.sweep(now)
            for id in [id for id, (_, until) in self.room.groups.items() if until is not None and until <= now]:
                del self.room.groups[id]
            return len(old)

    def close(self) -> None:
        with self.room.changed:
            self._closed = True
            self.room.changed.notify_all()
