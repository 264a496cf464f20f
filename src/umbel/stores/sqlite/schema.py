"""The tables of the file, and the making of them.

    segment   one queue at one priority: a line of places, of which each from `head` to its last message is ready; and
              how many of it stand in `later`, and when the first of them is due
    message   place -> envelope, from the moment it is ready until it is concluded; never moved in between
    past      what befell a ready message before (attempts …); below `head` it says: given back, and ready again, in front
    hold      a message in the hands of an owner
    later     what is not due yet; gets a place when it is
    dead      what was buried
    owner     who holds, and until when
    result    what became of tasks
    chord, part, growth   how far chords are: who completed each, what has arrived, which runs made it grow
    saved     what groups are made of
    revoked   tasks that are not to run
    stream    the last number that was sent of each, until when it is remembered
    entry, gone, leader   schedules: what is due when, what was removed of late, whose beat leads
    version   one row: the number of the last change of any schedule, and of the last that is forgotten

All moments in `stream` and behind it are whole nanoseconds (see `pack`).

A place is one number: the segment's, then 44 bits of place in line. So one B-tree, in the order in which things are handed out,
is the whole of the hot path: sending appends, reserving reads on from `head`, and no second index is kept for either. Where a
line ends is not written down but looked up, so that sending one message changes one page (15 µs instead of 24).

Segments are numbered downwards: the first queue of a file, mostly the busiest, is and stays at the right edge of the tree, where
SQLite appends without rearranging pages (a batch costs 1.0 µs for each message there, 1.4 in the middle).

44 bits are 17 million million messages for each queue and priority, 19 are left for half a million segments.
"""

from __future__ import annotations

import sqlite3

from umbel.errors import BrokerRefused

VERSION = 4
APPLICATION = 0x756D626C
"""`umbl`: how a file of umbel's is told from another program's."""

LINE_BITS = 44
SEGMENTS = 2 ** (63 - LINE_BITS) - 2
"""Numbers of segments are 1 to this; the end of the last is still a 64-bit number."""
PAGE_BYTES = 8192
"""Measured: 4096 costs 15 % more for batches, 16384 20 % more for single messages."""

TABLES = (
    """CREATE TABLE segment (number INTEGER PRIMARY KEY, queue TEXT NOT NULL, priority INTEGER NOT NULL,
        head INTEGER NOT NULL, due REAL, waiting INTEGER NOT NULL, UNIQUE (queue, priority))""",
    "CREATE TABLE message (place INTEGER PRIMARY KEY, at REAL NOT NULL, envelope BLOB NOT NULL)",
    "CREATE TABLE past (place INTEGER PRIMARY KEY, attempts INTEGER NOT NULL, begun INTEGER NOT NULL, parked REAL)",
    """CREATE TABLE hold (place INTEGER PRIMARY KEY, owner INTEGER NOT NULL, handout INTEGER NOT NULL,
        attempt INTEGER NOT NULL, begun INTEGER NOT NULL, parked REAL)""",
    """CREATE TABLE later (number INTEGER PRIMARY KEY, segment INTEGER NOT NULL, due REAL NOT NULL,
        attempts INTEGER NOT NULL, begun INTEGER NOT NULL, parked REAL, envelope BLOB NOT NULL)""",
    "CREATE INDEX later_due ON later (segment, due)",
    """CREATE TABLE dead (number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, reason TEXT NOT NULL,
        at REAL NOT NULL, attempt INTEGER NOT NULL, envelope BLOB NOT NULL)""",
    "CREATE INDEX dead_queue ON dead (queue)",
    "CREATE TABLE owner (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, until REAL NOT NULL)",
    "CREATE TABLE result (id TEXT PRIMARY KEY, state TEXT NOT NULL, document BLOB NOT NULL, expires REAL) WITHOUT ROWID",
    "CREATE INDEX result_expires ON result (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE chord (id TEXT PRIMARY KEY, size INTEGER, grown INTEGER NOT NULL, arrived INTEGER NOT NULL,
        fired_at INTEGER, fired_by TEXT, done INTEGER NOT NULL, expires REAL) WITHOUT ROWID""",
    "CREATE INDEX chord_expires ON chord (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE part (chord TEXT NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL, document BLOB NOT NULL,
        PRIMARY KEY (chord, place, id)) WITHOUT ROWID""",
    """CREATE TABLE growth (chord TEXT NOT NULL, id TEXT NOT NULL, run INTEGER NOT NULL, more INTEGER NOT NULL,
        PRIMARY KEY (chord, id, run)) WITHOUT ROWID""",
    "CREATE TABLE saved (id TEXT PRIMARY KEY, document BLOB NOT NULL, expires REAL) WITHOUT ROWID",
    "CREATE INDEX saved_expires ON saved (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE revoked (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, signal TEXT,
        until REAL NOT NULL)""",
    "CREATE INDEX revoked_until ON revoked (until)",
    "CREATE TABLE stream (stream TEXT PRIMARY KEY, number INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX stream_until ON stream (until)",
    """CREATE TABLE entry (schedule TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, definition BLOB NOT NULL,
        enabled INTEGER NOT NULL, since INTEGER NOT NULL, fired INTEGER, count INTEGER NOT NULL, PRIMARY KEY (name, schedule))""",
    "CREATE UNIQUE INDEX entry_version ON entry (schedule, version)",
    """CREATE TABLE gone (version INTEGER PRIMARY KEY, schedule TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,
        UNIQUE (schedule, name))""",
    "CREATE TABLE version (latest INTEGER NOT NULL, forgotten INTEGER NOT NULL)",
    "CREATE TABLE leader (schedule TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL)",
)


def check(connection: sqlite3.Connection, path: str) -> bool:
    """True if the file is umbel's and ready, False if it is empty; refuses any other."""
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")  # all from one moment: another process may be making the file just now
    try:
        version, application = _number(connection, "user_version"), _number(connection, "application_id")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        if alone:
            connection.execute("ROLLBACK")
    if application == APPLICATION and version == VERSION:
        return True
    if application == APPLICATION:
        raise BrokerRefused(
            f"{path} was written by another version of umbel (its schema is {version}, this one knows {VERSION}): "
            "upgrade umbel, or give it another file"
        )
    if application or version or tables:
        raise BrokerRefused(f"{path} is the database of another program: give umbel a file of its own")
    return False


def create(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables, unless another process was faster."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if not check(connection, path):
        for table in TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    number: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return number
