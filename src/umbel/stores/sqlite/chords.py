"""The statements that count the parts of a chord."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from umbel.stores.sqlite import pack
from umbel.wire.result import Result

_PARTS = f"""SELECT json_group_array(json_array(id, state, length(document))), {pack.GLUE.format("document")}
    FROM (SELECT id, state, document FROM part WHERE chord = ? ORDER BY number)"""


def arrive(
    connection: sqlite3.Connection,
    chord: str,
    size: int,
    parts: Sequence[tuple[int, Result]],
    *,
    now: float,
    until: float | None,
) -> list[Result] | None:
    """Count the parts; gives all of them, in order, if these complete the chord."""
    _drop(connection, "SELECT id FROM chord WHERE id = ? AND expires <= ?", (chord, now))
    row = connection.execute("SELECT whole FROM chord WHERE id = ?", (chord,)).fetchone()
    if row and row[0]:
        return None
    rows = [(chord, number, part.id, part.state, part.document) for number, part in parts]
    connection.executemany("INSERT OR IGNORE INTO part VALUES (?, ?, ?, ?, ?)", rows)
    whole = connection.execute("SELECT count(*) FROM part WHERE chord = ?", (chord,)).fetchone()[0] >= size
    connection.execute("INSERT OR REPLACE INTO chord VALUES (?, ?, ?)", (chord, whole, until))
    return _complete(connection, chord) if whole else None


def _complete(connection: sqlite3.Connection, chord: str) -> list[Result]:
    """All parts, which are then no longer kept; that the chord is whole is remembered."""
    found, glued = connection.execute(_PARTS, (chord,)).fetchone()
    connection.execute("DELETE FROM part WHERE chord = ?", (chord,))
    rows = pack.from_json(found)
    documents = pack.split(glued or b"", [row[2] for row in rows])
    return [Result(row[0], row[1], document) for row, document in zip(rows, documents, strict=True)]


def sweep(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Delete up to `limit` chords past their age; tells how many."""
    return _drop(connection, "SELECT id FROM chord WHERE expires <= ? LIMIT ?", (now, limit))


def _drop(connection: sqlite3.Connection, which: str, values: tuple[object, ...]) -> int:
    ids = pack.text([row[0] for row in connection.execute(which, values).fetchall()])
    connection.execute("DELETE FROM part WHERE chord IN (SELECT value FROM json_each(?))", (ids,))
    return connection.execute("DELETE FROM chord WHERE id IN (SELECT value FROM json_each(?))", (ids,)).rowcount
