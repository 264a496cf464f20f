"""Removing what is past its age, a little now and then, by those who write."""

from __future__ import annotations

import sqlite3

from umbel.stores.sqlite import chords, results

EVERY = 1000
"""Results written between two looks for old ones; twice as many are then removed at most, so that the file cannot only grow."""
AT_ONCE = 2 * EVERY


class Broom:
    """Counts what one writer wrote; used inside transactions only, so under the file's lock."""

    def __init__(self) -> None:
        self._written = 0

    def after(self, connection: sqlite3.Connection, written: int, now: float) -> None:
        """Sweep if it is time again."""
        self._written += written
        if self._written >= EVERY:
            self._written = 0
            sweep(connection, now)


def sweep(connection: sqlite3.Connection, now: float) -> int:
    """Remove some of what is past its age; tells how many results and chords."""
    return results.sweep(connection, now, AT_ONCE) + chords.sweep(connection, now, AT_ONCE)
