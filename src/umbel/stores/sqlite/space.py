"""Giving back to the disk what the file no longer needs."""

from __future__ import annotations

import sqlite3

from umbel.stores.sqlite.file import File

SPARE_PAGES = 4096
"""Free pages that stay for the next burst: 32 MB."""
PAGES_AT_ONCE = 1000


def give_room(file: File) -> None:
    """Shorten the file a little, if it has far more free pages than it needs."""
    if file.read(_spare) > 2 * SPARE_PAGES:
        file.alone(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")


def _spare(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])
