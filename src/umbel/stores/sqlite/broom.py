"""Removing what is past its age, a little now and then, by those who write."""

from __future__ import annotations

import sqlite3

from umbel.stores.sqlite import joins, revoked

EVERY = 1000
"""Results written between two looks for old ones; twice as many are then removed at most, so that the file cannot only grow."""
AT_ONCE = 2 * EVERY


_RESULTS = "DELETE FROM result WHERE id IN (SELECT id FROM result WHERE expires <= ? ORDER BY expires LIMIT ?)"


def sweep(connection: sqlite3.Connection, now: float) -> int:
    """Remove some of what is past its age; tells how many results, chords and groups."""
    revoked.sweep(connection, now)
    return connection.execute(_RESULTS, (now, AT_ONCE)).rowcount + joins.sweep(connection, now, AT_ONCE)
