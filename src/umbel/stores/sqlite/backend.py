"""The result backend in SQLite, and the statements that write and read results, also for the broker's `conclude`."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate

from umbel import clock
from umbel.errors import BrokerRefused
from umbel.states import ALL_STATES, READY_STATES, STARTED, SUCCESS, may_replace
from umbel.stores.backend import ResultBackend
from umbel.stores.join import Arrival, Parts
from umbel.stores.slices import slices
from umbel.stores.sqlite import broom, joins, pack
from umbel.stores.sqlite.file import Transaction, file_at
from umbel.stores.sqlite.pack import from_json, to_json
from umbel.stores.sqlite.space import give_room
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

_FINAL = ", ".join(f"'{state}'" for state in sorted(READY_STATES))
_KNOWN = ", ".join(f"'{state}'" for state in sorted(ALL_STATES))
_REPLACE = f"""ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document, expires = excluded.expires
    WHERE result.expires <= ?
        OR (result.state <> '{SUCCESS}' AND (result.state NOT IN ({_FINAL}) OR excluded.state IN ({_FINAL}))
            AND (result.state IN ({_KNOWN}) OR excluded.state <> '{STARTED}'))"""
_KEEP = f"INSERT INTO result (id, state, document, expires) VALUES (?, ?, ?, ?) {_REPLACE}"
_KEEP_MANY = f"""INSERT INTO result (id, state, document, expires)
    SELECT key, ?, {pack.BLOB.format("value")}, ? FROM json_each(?) WHERE true {_REPLACE}"""
_FIND = f"""SELECT json_group_array(json_array(result.id, state, length(document))), {pack.GLUE.format("document")}
    FROM json_each(?) CROSS JOIN result ON result.id = value WHERE (expires IS NULL OR expires > ?)"""
_FIND_FINAL = f"{_FIND} AND state IN ({_FINAL})"


class SqliteBackend(ResultBackend):
    """Results in the SQLite file at `path`, which may also be a broker's."""

    def __init__(self, path: str, *, expires: float | None = 86400.0, synchronous: str = "normal", timeout: float = 30.0):
        self.file = file_at(path, synchronous=synchronous, timeout=timeout)
        self.url = f"sqlite:///{path}"
        self.expires = expires
        self._closed = False
        self._unswept = 0
        self.file.join(self)

    def store(self, results: Sequence[Result]) -> None:
        if results:
            now = clock.now()
            with Transaction(self.file) as connection:
                keep(connection, results, now, self.expires)
                self._unswept += len(results)
                if self._unswept >= broom.EVERY:
                    self._unswept = 0
                    broom.sweep(connection, now)

    def fetch(self, ids: Sequence[str]) -> dict[str, Result]:
        return self._find(_FIND, list(ids)) if ids else {}

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        until = clock.monotonic() + timeout
        wanted = list(ids)
        seen = None
        while wanted and not self._closed:
            final = self._find(_FIND_FINAL, wanted)
            if final or clock.monotonic() >= until:
                return final
            seen = self.file.wait(seen, until)
        return {}

    def _find(self, sql: str, ids: list[str]) -> dict[str, Result]:
        """What is known of these."""
        try:
            found, glued = self.file.rows(sql, (to_json(ids).decode(), clock.now()))[0]
        except BrokerRefused as error:  # together they may be too long for SQLite
            if not isinstance(error.__cause__, sqlite3.DataError) or len(ids) < 2:
                raise
            half = len(ids) // 2
            return self._find(sql, ids[:half]) | self._find(sql, ids[half:])
        rows = from_json(found)
        ends = accumulate(size for _, _, size in rows)
        return {
            id: Result(id, state, glued[end - size : end] if size else b"")
            for (id, state, size), end in zip(rows, ends, strict=True)
        }

    def expect(self, chord: str, size: int) -> None:
        with Transaction(self.file) as connection:
            joins.expect(connection, chord, size, clock.now(), self.expires)

    def arrive(self, arrivals: Sequence[Arrival]) -> list[Envelope]:
        if not arrivals:
            return []
        with Transaction(self.file) as connection:
            return joins.note(connection, arrivals, clock.now(), self.expires, again=True)

    def parts(self, chord: str) -> Parts | None:
        return self.file.read(lambda connection: joins.read(connection, chord, clock.now()))

    def ended(self, chord: str) -> bool:
        return self.file.read(lambda connection: joins.ended(connection, chord, clock.now()))

    def done(self, chord: str) -> None:
        with Transaction(self.file) as connection:
            joins.done(connection, chord, clock.now(), self.expires)

    def save_group(self, id: str, document: bytes, expires: float | None) -> None:
        until = None if expires is None else clock.now() + expires
        with Transaction(self.file) as connection:
            connection.execute("INSERT OR REPLACE INTO saved VALUES (?, ?, ?)", (id, document, until))

    def group(self, id: str) -> bytes | None:
        sql = "SELECT document FROM saved WHERE id = ? AND (expires IS NULL OR expires > ?)"
        found: list[tuple[bytes]] = self.file.rows(sql, (id, clock.now()))
        return found[0][0] if found else None

    def forget_group(self, id: str) -> None:
        with Transaction(self.file) as connection:
            connection.execute("DELETE FROM saved WHERE id = ?", (id,))

    def forget(self, ids: Sequence[str]) -> None:
        if ids:
            with Transaction(self.file) as connection:
                connection.execute("DELETE FROM result WHERE id IN (SELECT value FROM json_each(?))", (pack.text(list(ids)),))

    def sweep(self) -> int:
        total, count = 0, 1
        while count:
            with Transaction(self.file) as connection:
                count = broom.sweep(connection, clock.now())
            total += count
        give_room(self.file)
        return total

    def close(self) -> None:
        self._closed = True
        self.file.rouse()
        self.file.leave(self)


def keep(connection: sqlite3.Connection, results: Sequence[Result], now: float, expires: float | None) -> None:
    """Write them, each by `may_replace`; they expire after so many seconds."""
    until = None if expires is None else now + expires
    if len(results) == 1:
        (result,) = results
        connection.execute(_KEEP, (result.id, result.state, result.document, until, now))
        return
    for group in _fold(results):
        for part in slices([len(result.document) for result in group], pack.JOINED_BYTES):
            joined, marks = pack.join([result.document for result in group[part]])
            ids = dict(zip([result.id for result in group[part]], marks, strict=True))
            connection.execute(_KEEP_MANY, (group[0].state, joined, until, pack.text(ids), now))


def _fold(results: Iterable[Result]) -> Iterable[list[Result]]:
    """One result for each id, the one that stays if they are written in turn; those of the same state together."""
    last: dict[str, Result] = {}
    for result in results:
        if result.id not in last or may_replace(result.state, last[result.id].state):
            last[result.id] = result
    states: defaultdict[str, list[Result]] = defaultdict(list)
    for result in last.values():
        states[result.state].append(result)
    return states.values()
