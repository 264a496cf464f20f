"""Taking the first messages of several lines into the hands of an owner."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from umbel.errors import BrokerRefused
from umbel.stores.broker import Delivery
from umbel.stores.share import share
from umbel.stores.sqlite import pack
from umbel.stores.sqlite.lines import Segment, decode, of, start
from umbel.wire.envelope import Envelope

TAKE_BYTES = 16 << 20
"""How much one `reserve` hands out at most, so that a thousand long messages do not fill the memory."""
SMALL_BYTES = 64 << 10
"""Up to here envelopes are read all in one statement; a longer one is worth a statement of its own."""

IN_HAND, IN_AN_EARLIER_HAND = 1, 2
"""Values of `hold.begun`: the run was begun in this hold, or before it."""

_SOME = f"""SELECT json_group_array(place), json_group_array(length(envelope)),
    {pack.GLUE.format(f"CASE WHEN length(envelope) <= {SMALL_BYTES} THEN envelope ELSE '' END")}
    FROM json_each(?) CROSS JOIN message ON place = value"""
_PAST = """SELECT json_group_array(json_array(place, attempts, begun, parked))
    FROM past WHERE place IN (SELECT value FROM json_each(?))"""
_HOLD = "INSERT INTO hold SELECT value, ?, ?, 1, 0, NULL FROM json_each(?)"
_HOLD_PAST = f"""INSERT INTO hold
    SELECT value, ?, ?, coalesce(attempts, 0) + 1, coalesce(begun, 0) * {IN_AN_EARLIER_HAND}, parked
    FROM json_each(?) LEFT JOIN past ON place = value"""
_FORGET = "DELETE FROM past WHERE place IN (SELECT value FROM json_each(?))"


class Receipt(NamedTuple):
    """Names one hand-out of one message: no other has the same."""

    place: int
    owner: int
    handout: int


def choose(lines: Sequence[Segment], queues: Sequence[str], limit: int, turn: int) -> list[tuple[Segment, int]]:
    """How many to take of each line: fair between queues, the most urgent first inside one."""
    ready = dict.fromkeys(queues, 0)
    for line in lines:
        ready[line.queue] += line.ready
    left = dict(zip(ready, share(list(ready.values()), limit, turn), strict=True))
    chosen = []
    for line in lines:
        if count := min(left[line.queue], line.ready):
            left[line.queue] -= count
            chosen.append((line, count))
    return chosen


def take(connection: sqlite3.Connection, chosen: Sequence[tuple[Segment, int]], owner: int, handout: int) -> list[Delivery]:
    """The first so many of each line, now held by `owner`."""
    places = [place for line, count in chosen for place in _first(connection, line, count)]
    held, envelopes = fetch(connection, places)
    passed = places if len(held) == len(places) or not held else places[: places.index(held[-1]) + 1]
    lines = [line for line, _ in chosen]
    past = _past(connection, pack.text(passed)) if any(line.has_past for line in lines) else {}
    connection.execute(_HOLD_PAST if past else _HOLD, (owner, handout, pack.text(held)))
    if past:
        connection.execute(_FORGET, (pack.text(passed),))
    _advance(connection, lines, passed)
    queues = {line.number: line.queue for line, _ in chosen}
    taken = [
        Delivery(envelope, queues[of(place)], Receipt(place, owner, handout), 1)
        for place, envelope in zip(held, envelopes, strict=True)
    ]
    for delivery, place in zip(taken, held, strict=True) if past else ():
        attempts, begun, delivery.parked = past.get(place, (0, 0, None))
        delivery.attempt, delivery.begun = attempts + 1, bool(begun)
    return taken


def _first(connection: sqlite3.Connection, line: Segment, count: int) -> list[int]:
    """The next `count` places of the line: those given back, then from its head on."""
    back: list[int] = []
    if line.returned:
        sql = "SELECT place FROM past WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"
        back = [row[0] for row in connection.execute(sql, (start(line.number), line.head, count)).fetchall()]
    return [*back, *range(line.head, line.head + count - len(back))]


def fetch(connection: sqlite3.Connection, places: Sequence[int]) -> tuple[list[int], list[Envelope]]:
    """The messages at these places, in their order, as many as fit into `TAKE_BYTES` (at least one)."""
    found, sizes, glued = connection.execute(_SOME, (pack.text(places),)).fetchone()
    found, sizes = pack.from_json(found), pack.from_json(sizes)
    fitting = next(pack.slices(sizes, TAKE_BYTES), slice(0)) if sum(sizes) > TAKE_BYTES else slice(None)
    blobs = pack.split(glued or b"", [size if size <= SMALL_BYTES else 0 for size in sizes])
    return found[fitting], [
        _read(connection, place, size, blob) for place, size, blob in zip(found[fitting], sizes[fitting], blobs, strict=False)
    ]


def _read(connection: sqlite3.Connection, place: int, size: int, blob: bytes) -> Envelope:
    """The envelope, out of its own row if it is long."""
    if size > SMALL_BYTES:
        (blob,) = connection.execute("SELECT envelope FROM message WHERE place = ?", (place,)).fetchone()
    try:
        return decode(blob)
    except msgspec.DecodeError as error:
        raise BrokerRefused(f"a stored message cannot be read: {error}; was the file written by another umbel?") from error


def _past(connection: sqlite3.Connection, places: str) -> dict[int, tuple[int, int, float | None]]:
    """What befell these before: attempts, begun, parked; most have no past."""
    rows = pack.from_json(connection.execute(_PAST, (places,)).fetchone()[0])
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def _advance(connection: sqlite3.Connection, lines: Sequence[Segment], passed: Sequence[int]) -> None:
    """Note that these are no longer ready."""
    after = {of(place): place + 1 for place in passed}  # of each line the last, which is the furthest
    heads = [(max(after.get(line.number, 0), line.head), line.number) for line in lines]
    connection.executemany("UPDATE segment SET head = ? WHERE number = ?", heads)
