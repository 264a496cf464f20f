"""Segments and places: putting messages in line, now or when they are due.

All functions here run inside a transaction of the caller's, and take few statements whatever the number of messages (see `pack`).
"""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from umbel.errors import BrokerRefused
from umbel.stores.slices import slices
from umbel.stores.sqlite import pack, revoked
from umbel.stores.sqlite.schema import LINE_BITS, SEGMENTS
from umbel.wire.envelope import Envelope

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Envelope).decode


def opened(blob: object, queue: str) -> Envelope:
    """The envelope in a row; of one that is none, its bytes, so that it ends where the unreadable ends."""
    try:
        return decode(blob)  # type: ignore[arg-type]  # a damaged row may hold anything
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raw = blob if isinstance(blob, bytes) else str(blob).encode("utf-8", "backslashreplace")
        return Envelope(_id_in(raw), queue, b"", raw, "application/octet-stream", "binary")


def _id_in(raw: bytes) -> str:
    """The id in something that should be an envelope, if there is one."""
    try:
        found = msgspec.msgpack.decode(raw)[0]
    except (msgspec.MsgspecError, TypeError, ValueError, LookupError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


MOST_RETURNED = 1000
"""Messages that were given back, counted by one `reserve`: a hundred thousand of them would make each of the next ones slow."""
DUE_AT_ONCE = 1000
"""How many due messages of a segment are put in line by one `reserve`: more would make it slow for who waits for it."""

END = "max(head, coalesce((SELECT place FROM message WHERE place < (number + 1) << 44 ORDER BY place DESC LIMIT 1), 0) + 1)"
"""SQL: the place behind the last of a segment. What was taken of it is below `head`, and may be gone."""
APPEND = f"""INSERT INTO message SELECT {END}, ?, ? FROM segment
    WHERE queue = ? AND priority = ? AND (due IS NULL OR due > ?)"""
"""One message to the end of its line, if there is such a line and nothing in it must be put in line before."""
_APPEND = f"INSERT INTO message SELECT ? + key, ?, {pack.BLOB.format('value')} FROM json_each(?)"
_MARK = "json_extract(value, '$[0]')"
_KEEP = f"""INSERT INTO later SELECT NULL, ?, json_extract(value, '$[1]'), 0, 0, NULL, {pack.BLOB.format(_MARK)}
    FROM json_each(?)"""
LINES = f"""SELECT number, queue, head, {END} - head + returned, due, returned, has_past,
    EXISTS (SELECT 1 FROM owner WHERE number = ? AND name = ?), {revoked.ANY}, waiting FROM
    (SELECT *, (SELECT count(*) FROM
            (SELECT 1 FROM past WHERE place >= number << 44 AND place < head LIMIT {MOST_RETURNED})) AS returned,
        EXISTS (SELECT 1 FROM past WHERE place >= number << 44 AND place < (number + 1) << 44) AS has_past
    FROM segment WHERE queue IN (SELECT value FROM json_each(?))) ORDER BY priority DESC"""
"""The rows of `Segment` for an owner and some queues, the most urgent first."""


class Segment(NamedTuple):
    """One queue at one priority, as an owner finds it."""

    number: int
    queue: str
    head: int
    ready: int
    """How many may be taken, or more, if there are `MOST_RETURNED`."""
    due: float | None
    """When the next in `later` is due."""
    returned: int
    """How many were given back, and are ready below `head`; `MOST_RETURNED` at most."""
    has_past: bool
    """True if any of its messages has a past; most lines have none, and are then taken from with fewer statements."""
    owner_lives: bool
    """True if the owner who asks is registered; by number and name, since a number that was rolled back is given again."""
    any_revoked: bool
    """True if any task is revoked."""
    waiting: int = 0
    """How many are in `later`."""

    @property
    def end(self) -> int:
        """The place behind the last one."""
        return self.head + self.ready - self.returned


def segments(connection: sqlite3.Connection, queues: Iterable[str]) -> list[Segment]:
    """The segments of these queues, the most urgent first."""
    return [Segment(*row) for row in connection.execute(LINES, (0, "", pack.text(list(queues)))).fetchall()]


def start(segment: int) -> int:
    """The first place of a segment; the end of one is the start of the next."""
    return segment << LINE_BITS


def of(place: int) -> int:
    """The number of the segment that the place is in."""
    return place >> LINE_BITS


Key = tuple[str, int]
"""Queue and priority."""


class Mail(msgspec.Struct):
    """Envelopes sorted and encoded, before any lock is taken."""

    ready: dict[Key, list[bytes]]
    later: dict[Key, list[tuple[float, bytes]]]

    @property
    def queues(self) -> set[str]:
        """Where it goes."""
        return {queue for queue, _ in (*self.ready, *self.later)}


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
        number, due, end = _segment(connection, key)
        if due is not None and due <= now:
            end = wake(connection, number, end, now)
        for part in slices(list(map(len, blobs)), pack.JOINED_BYTES):
            joined, marks = pack.join(blobs[part])
            connection.execute(_APPEND, (end + part.start, now, joined, pack.text(marks)))
    for key, items in mail.later.items():
        _keep(connection, _segment(connection, key)[0], items)


def _segment(connection: sqlite3.Connection, key: Key) -> tuple[int, float | None, int]:
    """Its number, when the next in it is due, and where it ends; a new one if need be."""
    name = (key[0], min(max(key[1], 0), 9))
    row = connection.execute(f"SELECT number, due, {END} FROM segment WHERE queue = ? AND priority = ?", name).fetchone()
    return row or _new_segment(connection, name)


def _new_segment(connection: sqlite3.Connection, name: Key) -> tuple[int, None, int]:
    """One more, before all others (see `schema`)."""
    (number,) = connection.execute("SELECT coalesce(min(number), ?) - 1 FROM segment", (SEGMENTS + 1,)).fetchone()
    if number < 1:
        raise BrokerRefused(f"more than {SEGMENTS} queues and priorities in one file: give some of them a file of their own")
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, NULL, 0)", (number, *name, start(number)))
    return number, None, start(number)


def _keep(connection: sqlite3.Connection, segment: int, items: Sequence[tuple[float, bytes]]) -> None:
    """Keep them until they are due."""
    blobs = [blob for _, blob in items]
    for part in slices(list(map(len, blobs)), pack.JOINED_BYTES):
        joined, marks = pack.join(blobs[part])
        dues = [due for due, _ in items[part]]
        connection.execute(_KEEP, (segment, joined, pack.text(list(zip(marks, dues, strict=True)))))
    postpone(connection, segment, min(due for due, _ in items), len(items))


def postpone(connection: sqlite3.Connection, segment: int, due: float, count: int) -> None:
    """Note that so many more are in `later`, the first of them due at `due`."""
    sql = "UPDATE segment SET waiting = waiting + ?, due = min(coalesce(due, ?), ?) WHERE number = ?"
    connection.execute(sql, (count, due, due, segment))


def wake_all(connection: sqlite3.Connection, lines: Sequence[Segment], now: float) -> list[Segment]:
    """Put in line what is due; gives the lines as they are then."""
    for line in lines:
        if line.due is not None and line.due <= now:
            wake(connection, line.number, line.end, now)
    return segments(connection, {line.queue for line in lines})


def hasten(connection: sqlite3.Connection, queues: Sequence[str], now: float, until: float) -> int:
    """Put in line the next that will be due `until` then; tells how many, `DUE_AT_ONCE` of a segment at most."""
    count = 0
    for line in segments(connection, queues):
        if line.due is not None and line.due <= until:
            count += wake(connection, line.number, line.end, now, until) - line.end
    return count


def wake(connection: sqlite3.Connection, segment: int, end: int, now: float, until: float | None = None) -> int:
    """Put in line, from the place `end` on, the next that are due now, or `until` then; gives where the line ends then."""
    rows = connection.execute(
        "SELECT number, due, attempts, begun, parked FROM later WHERE segment = ? AND due <= ? ORDER BY due, number LIMIT ?",
        (segment, now if until is None else until, DUE_AT_ONCE),
    ).fetchall()
    numbers = pack.text([row[0] for row in rows])
    connection.execute(
        "INSERT INTO message SELECT ? + key, min(due, ?), envelope FROM json_each(?) CROSS JOIN later ON number = value",
        (end, now, numbers),
    )
    history = [(place, *row[2:]) for place, row in enumerate(rows, end) if any(row[2:])]
    connection.executemany("INSERT INTO past VALUES (?, ?, ?, ?)", history)
    connection.execute("DELETE FROM later WHERE number IN (SELECT value FROM json_each(?))", (numbers,))
    connection.execute(
        "UPDATE segment SET waiting = waiting - ?, due = (SELECT min(due) FROM later WHERE segment = ?) WHERE number = ?",
        (len(rows), segment, segment),
    )
    return end + len(rows)
