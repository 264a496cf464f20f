"""Looking at queues from outside: how full they are, and emptying them."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec.structs import replace

from umbel.stores.broker import Depth
from umbel.stores.sqlite.lines import MOST_RETURNED, opened, segments, start
from umbel.wire.envelope import Envelope

PURGE_AT_ONCE = 10_000
_DUE = "later WHERE segment = ? AND due <= ?"

_QUEUES = """SELECT queue FROM segment WHERE due IS NOT NULL
        OR EXISTS (SELECT 1 FROM message WHERE place >= head AND place < (number + 1) << 44)
        OR EXISTS (SELECT 1 FROM past WHERE place >= number << 44 AND place < (number + 1) << 44)
        OR EXISTS (SELECT 1 FROM hold WHERE place >= number << 44 AND place < (number + 1) << 44)
    UNION SELECT queue FROM dead ORDER BY queue"""


def queues(connection: sqlite3.Connection) -> list[str]:
    """The names of those that hold anything."""
    return [row[0] for row in connection.execute(_QUEUES).fetchall()]


def depth(connection: sqlite3.Connection, queue: str, now: float) -> Depth:
    """How full one is; what is due counts as ready, though nobody has put it in line yet."""
    found = Depth()
    oldest = []
    for line in segments(connection, [queue]):
        low, high = start(line.number), start(line.number + 1)
        due = 0 if line.due is None or line.due > now else _count(connection, _DUE, line.number, now)
        found.ready += line.ready + due
        if line.returned == MOST_RETURNED:
            found.ready += _count(connection, "past WHERE place >= ? AND place < ?", low, line.head) - line.returned
        found.later += line.waiting - due
        found.held += _count(connection, "hold WHERE place >= ? AND place < ?", low, high)
        oldest += _oldest(connection, low, line.head, due, line.due)
    found.dead = _count(connection, "dead WHERE queue = ?", queue)
    found.oldest = max(now - min(oldest), 0.0) if oldest else None
    return found


def upcoming(connection: sqlite3.Connection, queues: Sequence[str], limit: int, now: float) -> list[Envelope]:
    """What waits for its time in these queues, the next first."""
    names = {line.number: line.queue for line in segments(connection, list(dict.fromkeys(queues)))}
    marks = ", ".join("?" * len(names))
    rows = connection.execute(
        f"SELECT segment, due, envelope FROM later WHERE segment IN ({marks}) AND due > ? ORDER BY due, number LIMIT ?",
        (*names, now, limit),
    ).fetchall()
    return [replace(opened(blob, names[segment]), due=due) for segment, due, blob in rows]


def _oldest(connection: sqlite3.Connection, low: int, head: int, due: int, next_due: float | None) -> list[float]:
    """Since when the first of a line is ready."""
    back = connection.execute("SELECT min(place) FROM past WHERE place >= ? AND place < ?", (low, head)).fetchone()[0]
    times = connection.execute("SELECT at FROM message WHERE place IN (?, ?)", (head, head if back is None else back)).fetchall()
    return [row[0] for row in times] + ([next_due] if due and next_due is not None else [])


def _count(connection: sqlite3.Connection, what: str, *values: object) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {what}", values).fetchone()[0])


def ends(connection: sqlite3.Connection, queue: str) -> list[tuple[int, int]]:
    """The segments of a queue, and where each ends now."""
    return [(line.number, line.end) for line in segments(connection, [queue])]


def purge(connection: sqlite3.Connection, segment: int, end: int) -> int:
    """Delete some of what is ready before `end` or waits for its time; tells how many, 0 if there is no more."""
    low = start(segment)
    head = connection.execute("SELECT head FROM segment WHERE number = ?", (segment,)).fetchone()[0]
    count = connection.execute(
        "DELETE FROM message WHERE place IN (SELECT place FROM past WHERE place >= ? AND place < ?)", (low, head)
    ).rowcount
    stop = max(min(head + PURGE_AT_ONCE, end), head)
    count += connection.execute("DELETE FROM message WHERE place >= ? AND place < ?", (head, stop)).rowcount
    connection.execute("DELETE FROM past WHERE place >= ? AND place < ?", (low, stop))
    waiting = connection.execute(
        "DELETE FROM later WHERE number IN (SELECT number FROM later WHERE segment = ? LIMIT ?)", (segment, PURGE_AT_ONCE)
    ).rowcount
    connection.execute(
        """UPDATE segment SET head = ?, waiting = waiting - ?, due = (SELECT min(due) FROM later WHERE segment = ?)
        WHERE number = ?""",
        (stop, waiting, segment, segment),
    )
    return count + waiting
