"""The statements that write and read results, for the backend and for the broker's `conclude`."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from umbel.states import READY_STATES, SUCCESS, may_replace
from umbel.stores.sqlite import pack
from umbel.wire.result import Result

_FINAL = ", ".join(f"'{state}'" for state in sorted(READY_STATES))
_KEEP = f"""INSERT INTO result (id, state, document, expires)
    SELECT key, ?, {pack.BLOB.format("value")}, ? FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document, expires = excluded.expires
    WHERE result.expires <= ?
        OR (result.state <> '{SUCCESS}' AND (result.state NOT IN ({_FINAL}) OR excluded.state IN ({_FINAL})))"""
_FIND = f"""SELECT json_group_array(json_array(result.id, state, length(document))), {pack.GLUE.format("document")}
    FROM json_each(?) CROSS JOIN result ON result.id = value WHERE (expires IS NULL OR expires > ?)"""
_FIND_FINAL = f"{_FIND} AND state IN ({_FINAL})"
_SWEEP = "DELETE FROM result WHERE id IN (SELECT id FROM result WHERE expires <= ? ORDER BY expires LIMIT ?)"


def fold(results: Iterable[Result]) -> Iterable[list[Result]]:
    """One result for each id, the one that stays if they are written in turn; those of the same state together."""
    last: dict[str, Result] = {}
    for result in results:
        if result.id not in last or may_replace(result.state, last[result.id].state):
            last[result.id] = result
    states: defaultdict[str, list[Result]] = defaultdict(list)
    for result in last.values():
        states[result.state].append(result)
    return states.values()


def keep(connection: sqlite3.Connection, results: Iterable[Result], now: float, expires: float | None) -> None:
    """Write them, each by `may_replace`; they expire after so many seconds."""
    until = None if expires is None else now + expires
    for group in fold(results):
        for part in pack.slices([len(result.document) for result in group]):
            joined, marks = pack.join([result.document for result in group[part]])
            ids = dict(zip([result.id for result in group[part]], marks, strict=True))
            connection.execute(_KEEP, (group[0].state, joined, until, pack.text(ids), now))


def find(connection: sqlite3.Connection, ids: Sequence[str], now: float, *, final: bool = False) -> dict[str, Result]:
    """What is known of these, or of those of them that are final."""
    try:
        found, glued = connection.execute(_FIND_FINAL if final else _FIND, (pack.text(ids), now)).fetchone()
    except sqlite3.DataError:  # together they are too long for SQLite
        half = len(ids) // 2
        if not half:
            raise
        return find(connection, ids[:half], now, final=final) | find(connection, ids[half:], now, final=final)
    rows = pack.from_json(found)
    documents = pack.split(glued or b"", [row[2] for row in rows])
    return {row[0]: Result(row[0], row[1], document) for row, document in zip(rows, documents, strict=True)}


def forget(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Delete them."""
    connection.execute("DELETE FROM result WHERE id IN (SELECT value FROM json_each(?))", (pack.text(ids),))


def sweep(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Delete up to `limit` of those past their age, the oldest first; tells how many."""
    return connection.execute(_SWEEP, (now, limit)).rowcount
