"""The result backend in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from umbel import clock
from umbel.stores.backend import ResultBackend
from umbel.stores.sqlite import chords, results
from umbel.stores.sqlite.broom import Broom, sweep
from umbel.stores.sqlite.file import file_at
from umbel.stores.sqlite.space import give_room
from umbel.wire.result import Result


class SqliteBackend(ResultBackend):
    """Results in the SQLite file at `path`, which may also be a broker's."""

    def __init__(self, path: str, *, expires: float | None = 86400.0, synchronous: str = "normal", timeout: float = 30.0):
        self.file = file_at(path, synchronous=synchronous, timeout=timeout)
        self.url = f"sqlite:///{path}"
        self.expires = expires
        self._closed = False
        self._broom = Broom()
        self.file.join(self)

    def store(self, results: Sequence[Result]) -> None:
        if results:
            self.file.write(lambda connection: self._store(connection, results))
            self.file.tell()

    def _store(self, connection: sqlite3.Connection, new: Sequence[Result]) -> None:
        now = clock.now()
        results.keep(connection, new, now, self.expires)
        self._broom.after(connection, len(new), now)

    def fetch(self, ids: Sequence[str]) -> dict[str, Result]:
        if not ids:
            return {}
        return self.file.read(lambda connection: results.find(connection, list(ids), clock.now()))

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        until = clock.monotonic() + timeout
        wanted = list(ids)
        while wanted and not self._closed:
            seen = self.file.mark()
            final = self.file.read(lambda connection: results.find(connection, wanted, clock.now(), final=True))
            if final or clock.monotonic() >= until:
                return final
            self.file.wait(seen, until)
        return {}

    def arrive(self, chord: str, size: int, parts: Sequence[tuple[int, Result]]) -> list[Result] | None:
        if not parts:
            return None
        now = clock.now()
        until = None if self.expires is None else now + self.expires
        return self.file.write(lambda connection: chords.arrive(connection, chord, size, parts, now=now, until=until))

    def forget(self, ids: Sequence[str]) -> None:
        if ids:
            self.file.write(lambda connection: results.forget(connection, list(ids)))

    def sweep(self) -> int:
        total = 0
        while count := self.file.write(lambda connection: sweep(connection, clock.now())):
            total += count
        give_room(self.file)
        return total

    def close(self) -> None:
        self._closed = True
        self.file.tell()
        self.file.leave(self)
