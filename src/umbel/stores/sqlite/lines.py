"""Segments and places: putting messages in line, now or when they are due.

All functions here run inside a transaction of the caller's, and take few statements whatever the number of messages (see `pack`).
"""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from umbel.errors import BrokerRefused
from umbel.stores.sqlite import pack
from umbel.stores.sqlite.schema import LINE_BITS, SEGMENTS
from umbel.wire.envelope import Envelope

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Envelope).decode

DUE_AT_ONCE = 1000
"""How many due messages of a segment are put in line by one `reserve`: more would make it slow for who waits for it."""

_APPEND = f"INSERT INTO message SELECT ? + key, ?, {pack.BLOB.format('value')} FROM json_each(?)"
_MARK = "json_extract(value, '$[0]')"
_KEEP = f"""INSERT INTO later SELECT NULL, ?, json_extract(value, '$[1]'), 0, 0, NULL, {pack.BLOB.format(_MARK)}
    FROM json_each(?)"""
_LINES = """SELECT number, queue, priority, head, tail, due,
    (SELECT count(*) FROM past WHERE place >= number << 44 AND place < head),
    EXISTS (SELECT 1 FROM past WHERE place >= number << 44 AND place < (number + 1) << 44)
    FROM segment WHERE queue IN (SELECT value FROM json_each(?)) ORDER BY priority DESC"""


@dataclass(slots=True)
class Segment:
    """One queue at one priority."""

    number: int
    queue: str
    priority: int
    head: int
    tail: int
    due: float | None
    """When the next in `later` is due."""
    returned: int
    """How many were given back, and are ready below `head`."""
    has_past: bool
    """True if any of its messages has a past; most lines have none, and are then taken from with fewer statements."""

    @property
    def ready(self) -> int:
        """How many may be taken."""
        return self.tail - self.head + self.returned

    def is_due(self, now: float) -> bool:
        """True if something in `later` is to be put in line."""
        return self.due is not None and self.due <= now


def segments(connection: sqlite3.Connection, queues: Iterable[str]) -> list[Segment]:
    """The segments of these queues, the most urgent first."""
    return [Segment(*row) for row in connection.execute(_LINES, (pack.text(list(queues)),)).fetchall()]


def start(segment: int) -> int:
    """The first place of a segment; the end of one is the start of the next."""
    return segment << LINE_BITS


def of(place: int) -> int:
    """The number of the segment that the place is in."""
    return place >> LINE_BITS


Key = tuple[str, int]
"""Queue and priority."""


@dataclass(slots=True)
class Mail:
    """Envelopes sorted and encoded, before any lock is taken."""

    ready: dict[Key, list[bytes]]
    later: dict[Key, list[tuple[float, bytes]]]


def sort(envelopes: Iterable[Envelope], now: float) -> Mail:
    """By queue and priority; those that are not due at `now` apart."""
    ready: defaultdict[Key, list[bytes]] = defaultdict(list)
    later: defaultdict[Key, list[tuple[float, bytes]]] = defaultdict(list)
    for envelope in envelopes:
        due = envelope.due
        if due is None or due <= now:
            ready[envelope.queue, envelope.priority].append(encode(envelope))
        else:
            later[envelope.queue, envelope.priority].append((due, encode(envelope)))
    return Mail(ready, later)


def put(connection: sqlite3.Connection, mail: Mail, now: float) -> None:
    """Append the ready ones to their lines, and keep the others until they are due."""
    for key, blobs in mail.ready.items():
        append(connection, segment_of(connection, key, now), blobs, now)
    for key, items in mail.later.items():
        _keep(connection, segment_of(connection, key, now), items)


def segment_of(connection: sqlite3.Connection, key: Key, now: float) -> int:
    """The number of the segment, a new one if need be; what is due in it goes in line before what is to come."""
    name = (key[0], min(max(key[1], 0), 9))
    row = connection.execute("SELECT number, due FROM segment WHERE queue = ? AND priority = ?", name).fetchone()
    if row is None:
        return _new_segment(connection, name)
    number, due = row
    if due is not None and due <= now:
        _wake(connection, number, now)
    return int(number)


def _new_segment(connection: sqlite3.Connection, name: Key) -> int:
    number = connection.execute("INSERT INTO segment VALUES (NULL, ?, ?, 0, 0, NULL)", name).lastrowid or 0
    if number > SEGMENTS:
        raise BrokerRefused(f"more than {SEGMENTS} queues and priorities in one file: give some of them a file of their own")
    connection.execute("UPDATE segment SET head = ?, tail = ? WHERE number = ?", (start(number), start(number), number))
    return number


def append(connection: sqlite3.Connection, segment: int, blobs: Sequence[bytes], now: float) -> None:
    """Put them at the end of the line."""
    first = _lengthen(connection, segment, len(blobs))
    for part in pack.slices(list(map(len, blobs))):
        joined, marks = pack.join(blobs[part])
        connection.execute(_APPEND, (first + part.start, now, joined, pack.text(marks)))


def _keep(connection: sqlite3.Connection, segment: int, items: Sequence[tuple[float, bytes]]) -> None:
    """Keep them until they are due."""
    blobs = [blob for _, blob in items]
    for part in pack.slices(list(map(len, blobs))):
        joined, marks = pack.join(blobs[part])
        dues = [due for due, _ in items[part]]
        connection.execute(_KEEP, (segment, joined, pack.text(list(zip(marks, dues, strict=True)))))
    postpone(connection, segment, min(due for due, _ in items))


def _lengthen(connection: sqlite3.Connection, segment: int, count: int) -> int:
    """The first of `count` new places at the end of the line."""
    sql = "UPDATE segment SET tail = tail + ? WHERE number = ? RETURNING tail - ?"
    first: int = connection.execute(sql, (count, segment, count)).fetchall()[0][0]
    return first


def postpone(connection: sqlite3.Connection, segment: int, due: float) -> None:
    """Note that something is due at `due`."""
    connection.execute("UPDATE segment SET due = ? WHERE number = ? AND (due IS NULL OR due > ?)", (due, segment, due))


def wake(connection: sqlite3.Connection, lines: Iterable[Segment], now: float) -> None:
    """Put in line what is due."""
    for line in lines:
        if line.is_due(now):
            line.tail += _wake(connection, line.number, now)
            line.has_past = True


def _wake(connection: sqlite3.Connection, segment: int, now: float) -> int:
    """Put in line the next that are due; tells how many."""
    rows = connection.execute(
        "SELECT number, due, attempts, begun, parked FROM later WHERE segment = ? AND due <= ? ORDER BY due, number LIMIT ?",
        (segment, now, DUE_AT_ONCE),
    ).fetchall()
    first = _lengthen(connection, segment, len(rows))
    numbers = pack.text([row[0] for row in rows])
    connection.execute(
        "INSERT INTO message SELECT ? + key, due, envelope FROM json_each(?) CROSS JOIN later ON number = value", (first, numbers)
    )
    history = [(place, *row[2:]) for place, row in enumerate(rows, first) if any(row[2:])]
    connection.executemany("INSERT INTO past VALUES (?, ?, ?, ?)", history)
    connection.execute("DELETE FROM later WHERE number IN (SELECT value FROM json_each(?))", (numbers,))
    connection.execute(
        "UPDATE segment SET due = (SELECT min(due) FROM later WHERE segment = ?) WHERE number = ?", (segment, segment)
    )
    return len(rows)
