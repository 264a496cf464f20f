"""The dead letters: read, sent again, or thrown away."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from umbel.stores.broker import Buried
from umbel.stores.sqlite import lines, pack

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


def _numbers(keys: Sequence[str]) -> str:
    """The keys that can be any, for `json_each`."""
    return pack.text([int(key) for key in keys if key.isdecimal()])
