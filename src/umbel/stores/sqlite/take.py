"""Taking the first messages of several lines into the hands of an owner."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from umbel import clock
from umbel.stores.broker import Delivery
from umbel.stores.share import share
from umbel.stores.slices import slices
from umbel.stores.sqlite import pack, revoked
from umbel.stores.sqlite.lines import Segment, decode, opened, start
from umbel.stores.sqlite.pack import from_json, to_json
from umbel.stores.sqlite.schema import LINE_BITS

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


def take(
    connection: sqlite3.Connection, lines: Sequence[Segment], limit: int, *, turn: int, owner: int, handout: int
) -> list[Delivery]:
    """Up to `limit` of what is ready in these lines, now held by `owner`."""
    chosen = [(lines[0], min(limit, lines[0].ready))] if len(lines) == 1 else _choose(lines, limit, turn)
    places: list[int] = []
    for line, count in chosen:
        places += _first(connection, line, count) if line.returned else range(line.head, line.head + count)
    found, lengths, glued = connection.execute(_SOME, (to_json(places).decode(),)).fetchone()
    held, sizes = from_json(found), from_json(lengths)
    if not held or sum(sizes) > TAKE_BYTES or max(sizes) > SMALL_BYTES:
        held, blobs = _fit(connection, held, sizes, glued)
    else:
        blobs = [glued[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]
    try:
        envelopes = [decode(blob) for blob in blobs]
    except (msgspec.DecodeError, ValueError, RecursionError):  # each by itself, as what is no blob may have shifted the others
        names = {line.number: line.queue for line, _ in chosen}
        envelopes = [opened(read(connection, place), names[place >> LINE_BITS]) for place in held]
    passed = places if len(held) == len(places) or not held else places[: places.index(held[-1]) + 1]
    past = _past(connection, passed) if any(line.has_past for line, _ in chosen) else {}
    connection.execute(_HOLD_PAST if past else _HOLD, (owner, handout, to_json(held).decode()))
    heads = {place >> LINE_BITS: place + 1 for place in passed}  # of each line the last, which is the furthest
    moved = [(max(heads.get(line.number, 0), line.head), line.number) for line, _ in chosen]
    connection.executemany("UPDATE segment SET head = ? WHERE number = ?", moved)
    queues = {line.number: line.queue for line, _ in chosen}
    now = clock.now()
    taken = [
        Delivery(envelope, queues[place >> LINE_BITS], Receipt(place, owner, handout), 1, when=now)
        for place, envelope in zip(held, envelopes, strict=True)
    ]
    if past:
        _recall(connection, taken, held, past)
    if lines[0].any_revoked:
        revoked.mark(connection, taken, now)
    return taken


def _choose(lines: Sequence[Segment], limit: int, turn: int) -> list[tuple[Segment, int]]:
    """How many to take of each line: fair between queues, the most urgent first inside one."""
    ready = dict.fromkeys(sorted({line.queue for line in lines}), 0)
    for line in lines:
        ready[line.queue] += line.ready
    left = dict(zip(ready, share(list(ready.values()), limit, turn), strict=True))
    chosen = []
    for line in lines:
        if count := min(left[line.queue], line.ready):
            left[line.queue] -= count
            chosen.append((line, count))
    return chosen


def _first(connection: sqlite3.Connection, line: Segment, count: int) -> list[int]:
    """The next `count` places of the line: those given back, then from its head on."""
    sql = "SELECT place FROM past WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"
    back = [row[0] for row in connection.execute(sql, (start(line.number), line.head, count)).fetchall()]
    return [*back, *range(line.head, line.head + count - len(back))]


def _fit(
    connection: sqlite3.Connection, found: Sequence[int], sizes: Sequence[int], glued: bytes | None
) -> tuple[list[int], list[bytes]]:
    """As many as fit into `TAKE_BYTES` (at least one), the long ones out of their own rows."""
    fitting = next(slices(sizes, TAKE_BYTES), slice(0))
    places, blobs = list(found[fitting]), pack.split(glued or b"", [size if size <= SMALL_BYTES else 0 for size in sizes])
    return places, [
        read(connection, place) if size > SMALL_BYTES else blob
        for place, size, blob in zip(places, sizes[fitting], blobs, strict=False)
    ]


def read(connection: sqlite3.Connection, place: int) -> bytes:
    """The envelope at this place."""
    blob: bytes = connection.execute("SELECT envelope FROM message WHERE place = ?", (place,)).fetchone()[0]
    return blob


def _past(connection: sqlite3.Connection, places: Sequence[int]) -> dict[int, tuple[int, int, float | None]]:
    """What befell these before: attempts, begun, parked; most have no past."""
    rows = from_json(connection.execute(_PAST, (pack.text(places),)).fetchone()[0])
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def _recall(
    connection: sqlite3.Connection,
    taken: Sequence[Delivery],
    held: Sequence[int],
    past: dict[int, tuple[int, int, float | None]],
) -> None:
    """Tell each what befell it before, which is now written in its hold."""
    connection.execute(_FORGET, (pack.text(list(past)),))
    for delivery, place in zip(taken, held, strict=True):
        attempts, begun, delivery.parked = past.get(place, (0, 0, None))
        delivery.attempt, delivery.begun = attempts + 1, bool(begun)
