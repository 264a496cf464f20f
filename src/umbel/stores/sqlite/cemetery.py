"""The dead letters: read, sent again, or thrown away."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from umbel.stores.broker import Buried
from umbel.stores.sqlite import lines, pack

AT_ONCE = 1000
"""Letters that one transaction throws away."""

_SOME = "number IN (SELECT value FROM json_each(?))"


def letters(connection: sqlite3.Connection, queue: str | None, limit: int, after: str) -> list[Buried]:
    """Up to `limit` of one queue or of all, the oldest first, behind the key `after`."""
    rows = connection.execute(
        "SELECT * FROM dead WHERE number > ? AND (? IS NULL OR queue = ?) ORDER BY number LIMIT ?",
        (int(after) if after.isdecimal() else 0, queue, queue, max(limit, 0)),
    ).fetchall()
    return [
        Buried(f"{number}", lines.opened(envelope, name), name, reason, at, attempt)
        for number, name, reason, at, attempt, envelope in rows
    ]


def revive(connection: sqlite3.Connection, keys: Sequence[str], now: float) -> int:
    """Put them in line again; tells how many."""
    numbers = _numbers(keys)
    rows = connection.execute(f"SELECT envelope, queue FROM dead WHERE {_SOME} ORDER BY number", (numbers,)).fetchall()
    lines.put(connection, lines.sort([lines.opened(*row) for row in rows], now), now)
    return discard(connection, keys)


def discard(connection: sqlite3.Connection, keys: Sequence[str]) -> int:
    """Delete them; tells how many."""
    return connection.execute(f"DELETE FROM dead WHERE {_SOME}", (_numbers(keys),)).rowcount


def has_old(connection: sqlite3.Connection, most: int | None, oldest: float | None) -> bool:
    """True if there are more than `most`, or if the first died before `oldest`."""
    first = connection.execute("SELECT at FROM dead ORDER BY number LIMIT 1").fetchone()
    if first is None:
        return False
    return (oldest is not None and first[0] < oldest) or (most is not None and _last_to_go(connection, most) > 0)


def sweep(connection: sqlite3.Connection, most: int | None, oldest: float | None) -> int:
    """Delete some of the first until there are no more than `most`, and none that died before `oldest`; tells how many."""
    until = 0 if most is None else _last_to_go(connection, most)
    old = float("-inf") if oldest is None else oldest
    rows = connection.execute(
        "SELECT number FROM dead WHERE number <= ? OR at < ? ORDER BY number LIMIT ?", (until, old, AT_ONCE)
    )
    return discard(connection, [str(row[0]) for row in rows.fetchall()])


def _last_to_go(connection: sqlite3.Connection, most: int) -> int:
    """The number of the last that is one too many; 0 if none is."""
    row = connection.execute("SELECT number FROM dead ORDER BY number DESC LIMIT 1 OFFSET ?", (most,)).fetchone()
    return int(row[0]) if row else 0


def _numbers(keys: Sequence[str]) -> str:
    """The keys that can be any, for `json_each`."""
    return pack.text([int(key) for key in keys if key.isdecimal()])
