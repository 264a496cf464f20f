"""The result backend in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from umbel import clock
from umbel.states import READY_STATES, may_replace
from umbel.stores.backend import ResultBackend
from umbel.stores.memory.room import Room, room
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

    def arrive(self, chord: str, size: int, parts: Sequence[tuple[int, Result]]) -> list[Result] | None:
        with self.room.changed:
            now = clock.now()
            have, until = self.room.chords.get(chord, ({}, None))
            if until is not None and until <= now:
                have = {}
            if have is None:
                return None
            for index, result in parts:
                have.setdefault(index, result)
            until = None if self.expires is None else now + self.expires
            whole = bool(parts) and len(have) >= size
            self.room.chords[chord] = (None if whole else have, until)
            return [have[index] for index in sorted(have)] if whole else None

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
            stale = [chord for chord, (_, until) in self.room.chords.items() if until is not None and until <= now]
            for chord in stale:
                del self.room.chords[chord]
            return len(old)

    def close(self) -> None:
        with self.room.changed:
            self._closed = True
            self.room.changed.notify_all()
