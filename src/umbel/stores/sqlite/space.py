"""Giving back to the disk what the file no longer needs."""

from __future__ import annotations

from umbel.stores.sqlite.file import File

SPARE_PAGES = 4096
"""Free pages that stay for the next burst: 32 MB."""
PAGES_AT_ONCE = 1000


def give_room(file: File) -> None:
    """Shorten the file a little, if it has far more free pages than it needs."""
    if file.rows("PRAGMA freelist_count")[0][0] > 2 * SPARE_PAGES:
        file.alone(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
