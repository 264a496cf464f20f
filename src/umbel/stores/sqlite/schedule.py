"""Schedules in SQLite, in the file of the messages or in one of its own."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from umbel import clock
from umbel.stores.schedule import ASTRAY, FORGOTTEN, Changes, Leader, Row, ScheduleStore, Ticks, first_version
from umbel.stores.slices import slices
from umbel.stores.sqlite import pack
from umbel.stores.sqlite.file import Transaction, file_at

PAGE = 10_000
"""Entries read by one statement, so that not all of them are in memory twice."""

_NAME, _SECOND, _THIRD = (f"json_extract(value, '$[{place}]')" for place in range(3))
# `+schedule`: else SQLite would rather look through the whole schedule than go from name to name.
_SAVE = f"""INSERT INTO entry (schedule, version, name, definition, enabled, since, fired, count)
    SELECT ?, ? + key, {_NAME}, {pack.BLOB.format(_SECOND)}, 1, ?, NULL, 0 FROM json_each(?) WHERE true
    ON CONFLICT (name, schedule) DO UPDATE SET definition = excluded.definition, version = excluded.version
    WHERE definition <> excluded.definition"""
_ENABLE = """UPDATE entry SET enabled = ?, since = iif(?, ?, since), version = ? + key FROM json_each(?)
    WHERE +schedule = ? AND name = value AND enabled <> ?"""
_LEAVE = """INSERT INTO gone SELECT ? + key, schedule, name, ? FROM json_each(?)
    CROSS JOIN entry ON schedule = ? AND name = value"""
_THESE = "schedule = ? AND name IN (SELECT value FROM json_each(?))"
_TICK = f"""UPDATE entry SET count = entry.count + {_THIRD},
    fired = iif(fired IS NULL OR fired > ? OR {_SECOND} > fired, {_SECOND}, fired) FROM json_each(?)
    WHERE +schedule = ? AND name = {_NAME}"""
_ROWS = f"""SELECT json_group_array(json_array(version, name, length(definition), enabled, since, fired, count)),
    {pack.GLUE.format("definition")} FROM"""
_SOME = f"{_ROWS} (SELECT * FROM entry WHERE schedule = ? AND version > ? ORDER BY version LIMIT {PAGE})"
_FOUND = f"{_ROWS} entry WHERE {_THESE}"
_GONE = "SELECT json_group_array(name) FROM gone WHERE version > ? AND schedule = ?"


class SqliteScheduleStore(ScheduleStore):
    """The schedule `name` in the SQLite file at `path`. Any thread may use it."""

    def __init__(self, path: str, *, name: str = "", synchronous: str = "normal", timeout: float = 30.0):
        self.url = f"sqlite:///{path}"
        self.name = name
        self._file = file_at(path, synchronous=synchronous, timeout=timeout)
        self._file.join(self)

    def find(self, names: Sequence[str]) -> list[Row]:
        if not names:
            return []
        found: list[tuple[str, bytes | None]] = self._file.rows(_FOUND, (self.name, pack.text(list(names))))
        return [row for _, row in _unpacked(*found[0])]

    def changes(self, after: int = 0) -> Changes:
        found: list[tuple[int, int]] = self._file.rows("SELECT latest, forgotten FROM version")
        if found and found[0][0] == after:
            return Changes(after)
        return self._file.read(lambda connection: _changes(connection, self.name, after))

    def save(self, entries: Sequence[tuple[str, bytes]]) -> None:
        if not entries:
            return
        names, definitions = zip(*entries, strict=True)
        now = pack.whole(clock.now())
        with Transaction(self._file) as connection:
            latest = _latest(connection)
            for part in slices(list(map(len, definitions)), pack.JOINED_BYTES):
                joined, marks = pack.join(definitions[part])
                values = (self.name, latest + 1, joined, now, pack.text(list(zip(names[part], marks, strict=True))))
                if connection.execute(_SAVE, values).rowcount:
                    latest += len(marks)
                    connection.execute(f"DELETE FROM gone WHERE {_THESE}", (self.name, pack.text(names[part])))
            _changed(connection, latest, now)

    def enable(self, names: Sequence[str], *, enabled: bool) -> int:
        if not names:
            return 0
        now, unique = pack.whole(clock.now()), list(dict.fromkeys(names))
        with Transaction(self._file) as connection:
            latest = _latest(connection)
            values = (enabled, enabled, now, latest + 1, pack.text(unique), self.name, enabled)
            count = connection.execute(_ENABLE, values).rowcount
            _changed(connection, latest + (len(unique) if count else 0), now)
            return count

    def remove(self, names: Sequence[str]) -> int:
        if not names:
            return 0
        now, unique = pack.whole(clock.now()), list(dict.fromkeys(names))
        with Transaction(self._file) as connection:
            latest = _latest(connection)
            connection.execute(_LEAVE, (latest + 1, now, pack.text(unique), self.name))
            count = connection.execute(f"DELETE FROM entry WHERE {_THESE}", (self.name, pack.text(unique))).rowcount
            _changed(connection, latest + (len(unique) if count else 0), now)
            return count

    def tick(self, ticks: Sequence[Ticks]) -> None:
        if not ticks:
            return
        astray = pack.whole(clock.now() + ASTRAY)
        rows: dict[str, tuple[str, int, int]] = {}  # SQLite would take one row of each name only
        for each in ticks:
            fired, count = pack.whole(each.fired), each.count
            if known := rows.get(each.name):
                fired, count = max(known[1], fired), known[2] + count
            rows[each.name] = each.name, fired, count
        with Transaction(self._file) as connection:
            connection.execute(_TICK, (astray, pack.text(list(rows.values())), self.name))

    def lead(self, owner: str, seconds: float) -> bool:
        if self._is_led_by_another(owner, seconds):  # looking first, so that those who wait do not hinder those who work
            return False
        with Transaction(self._file) as connection:
            if self._is_led_by_another(owner, seconds):
                return False
            until = pack.whole(clock.now() + seconds)
            connection.execute("INSERT OR REPLACE INTO leader VALUES (?, ?, ?)", (self.name, owner, until))
            return True

    def _is_led_by_another(self, owner: str, seconds: float) -> bool:
        leader = self.leader()
        return leader is not None and leader.owner != owner and leader.until <= clock.now() + 2 * seconds

    def resign(self, owner: str) -> None:
        with Transaction(self._file) as connection:
            connection.execute("DELETE FROM leader WHERE schedule = ? AND owner = ?", (self.name, owner))

    def leader(self) -> Leader | None:
        sql = "SELECT owner, until FROM leader WHERE schedule = ? AND until > ?"
        found = self._file.rows(sql, (self.name, pack.whole(clock.now())))
        return Leader(found[0][0], pack.moment(found[0][1])) if found else None

    def close(self) -> None:
        self._file.leave(self)


def _changes(connection: sqlite3.Connection, schedule: str, after: int) -> Changes:
    version, forgotten = connection.execute("SELECT latest, forgotten FROM version").fetchone() or (0, 0)
    whole = after == 0 or not forgotten <= after <= version
    since = 0 if whole else after
    gone: list[str] = [] if whole else pack.from_json(connection.execute(_GONE, (since, schedule)).fetchone()[0])
    rows: list[Row] = []
    while since < version:
        since = _read(connection, schedule, since, rows) or version
    return Changes(version, rows, gone, whole)


def _read(connection: sqlite3.Connection, schedule: str, since: int, rows: list[Row]) -> int | None:
    """Add the next page of what is behind the version `since`; gives the last version in it, None if there is no more."""
    told, glued = connection.execute(_SOME, (schedule, since)).fetchone()
    found = _unpacked(told, glued)
    rows += [row for _, row in found]
    return found[-1][0] if found else None


def _unpacked(told: str, glued: bytes | None) -> list[tuple[int, Row]]:
    """Entries as `_ROWS` gives them, each with the version of its last change."""
    parts: list[Any] = pack.from_json(told)
    definitions = pack.split(glued or b"", [part[2] for part in parts])
    rows = []
    for (version, name, _, enabled, since, fired, count), definition in zip(parts, definitions, strict=True):
        due = None if fired is None else pack.moment(fired)
        rows.append((version, Row(name, definition, bool(enabled), pack.moment(since), due, count)))
    return rows


def _latest(connection: sqlite3.Connection) -> int:
    """The version of the last change; there is one from the first use on."""
    found = connection.execute("SELECT latest FROM version").fetchone()
    if found is not None:
        return int(found[0])
    latest = first_version()
    connection.execute("INSERT INTO version VALUES (?, ?)", (latest, latest))
    return latest


def _changed(connection: sqlite3.Connection, latest: int, now: int) -> None:
    """Note the version of the last change; forget what was removed long ago."""
    connection.execute("UPDATE version SET latest = ?", (latest,))
    sql = "SELECT version FROM gone WHERE at > ? ORDER BY version LIMIT 1"  # mostly the first of all
    kept = connection.execute(sql, (now - pack.whole(FORGOTTEN),)).fetchone()
    behind = latest + 1 if kept is None else kept[0]
    if connection.execute("DELETE FROM gone WHERE version < ?", (behind,)).rowcount:
        connection.execute("UPDATE version SET forgotten = ?", (behind - 1,))
