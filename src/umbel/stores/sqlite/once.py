"""The last number of each stream: what several may send, and one is to."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from umbel.stores.broker import ASTRAY, REMEMBERED, Once
from umbel.stores.sqlite import pack

AT_ONCE = 100
"""Streams that one call forgets at most."""

_FIND = "SELECT json_group_array(json_array(stream, number)) FROM stream WHERE stream IN (SELECT value FROM json_each(?))"
_KEEP = """INSERT OR REPLACE INTO stream
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)"""
_FORGET = "DELETE FROM stream WHERE stream IN (SELECT stream FROM stream WHERE until <= ? LIMIT ?)"


def accept(connection: sqlite3.Connection, messages: Sequence[Once], now: float) -> list[bool]:
    """Which of these are the next of their stream, and so are to be sent."""
    streams = pack.text([each.stream for each in messages])
    last: dict[str, int] = dict(pack.from_json(connection.execute(_FIND, (streams,)).fetchone()[0]))
    astray, accepted, moved = pack.whole(now + ASTRAY), [], set()
    for each in messages:
        number, known = pack.whole(each.number), last.get(each.stream)
        is_next = known is None or number > known or known > astray
        accepted.append(is_next)
        if is_next:
            last[each.stream] = number
            moved.add(each.stream)
    if moved:
        least = pack.whole(now)
        rows = [(stream, last[stream], max(last[stream], least) + pack.whole(REMEMBERED)) for stream in moved]
        connection.execute(_KEEP, (pack.text(rows),))
        connection.execute(_FORGET, (least, AT_ONCE))
    return accepted
