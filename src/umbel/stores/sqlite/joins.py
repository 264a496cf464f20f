"""The statements that count the parts of chords, and keep what groups are made of.

A batch takes the same few statements however many chords it touches (see `pack`): what is known of them is read, the batch is
counted here, and what has changed is written.
"""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from umbel.errors import BrokerRefused
from umbel.stores.join import Arrival, Parts, life
from umbel.stores.slices import slices
from umbel.stores.sqlite import pack
from umbel.wire.envelope import Envelope

BEHIND = 1 << 62
"""The place of parts that have none."""


def _columns(count: int) -> str:
    """SQL: the first so many values of a row that is a list in JSON."""
    return ", ".join(f"json_extract(value, '$[{number}]')" for number in range(count))


def _known(table: str, *key: str) -> str:
    """SQL: the rows of a table with one of these keys, each with one more column than its key."""
    same = " AND ".join(f"{table}.{name} = json_extract(value, '$[{number}]')" for number, name in enumerate(key))
    names = ", ".join(f"{table}.{name}" for name in key)
    return f"SELECT json_group_array(json_array({names}, {{}})) FROM json_each(?) CROSS JOIN {table} ON {same}"


_CHORDS = """SELECT json_group_array(json_array(chord.id, size, grown, arrived, fired_at, fired_by, done))
    FROM json_each(?) CROSS JOIN chord ON chord.id = value WHERE expires IS NULL OR expires > ?"""
_PARTS = _known("part", "chord", "place", "id").format("0")
_GROWN = _known("growth", "chord", "id", "run").format("more")
_WRITE = f"""INSERT INTO chord SELECT {_columns(8)} FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET size = excluded.size, grown = excluded.grown, arrived = excluded.arrived,
    fired_at = excluded.fired_at, fired_by = excluded.fired_by, done = excluded.done, expires = excluded.expires"""
_PUT = f"""INSERT INTO part SELECT {_columns(3)}, {pack.BLOB.format("json_extract(value, '$[3]')")} FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET document = excluded.document"""
_GROW = f"""INSERT INTO growth SELECT {_columns(4)} FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET more = excluded.more"""
_DOCUMENTS = "(SELECT document FROM part WHERE chord = :chord ORDER BY place, id)"
_ONE = "FROM chord WHERE id = :chord AND NOT done AND (expires IS NULL OR expires > :now)"
_READ = f"""SELECT size + grown, (SELECT json_group_array(length(document)) FROM {_DOCUMENTS}),
    (SELECT {pack.GLUE.format("document")} FROM {_DOCUMENTS}) {_ONE}"""
_AMONG = "IN (SELECT value FROM json_each(?))"


class Chord(msgspec.Struct, array_like=True, gc=False):
    """One row."""

    id: str
    size: int | None = None
    grown: int = 0
    arrived: int = 0
    fired_at: int | None = None
    fired_by: str | None = None
    done: int = 0
    expires: float | None = None
    """When it is written; nobody reads it."""

    def is_fired_by(self, arrival: Arrival, place: int, *, again: bool) -> bool:
        """True if the part completes the chord; or has done so, and is to be told `again`."""
        if self.size is None or self.arrived < self.size + self.grown:
            return False
        if self.fired_by is None:
            self.fired_at, self.fired_by = place, arrival.id
            return True
        return again and (self.fired_at, self.fired_by) == (place, arrival.id)


_rows = msgspec.json.Decoder(list[Chord]).decode


def note(
    connection: sqlite3.Connection, arrivals: Sequence[Arrival], now: float, expires: float | None, *, again: bool = False
) -> list[Envelope]:
    """Count these; gives what is to be sent then."""
    chords = _open(connection, {each.chord for each in arrivals}, now)
    arrivals = [each for each in arrivals if not chords[each.chord].done]
    keys = [_key(each) for each in arrivals]
    known = set(map(tuple, _find(connection, _PARTS, keys)))
    runs = [(each.chord, each.id, each.run) for each in arrivals if each.more]
    grown = {(chord, id, run): more for chord, id, run, more in (_find(connection, _GROWN, runs) if runs else ())}
    parts: dict[tuple[str, int, str], bytes] = {}
    then = []
    for each, key in zip(arrivals, keys, strict=True):
        chord = chords[each.chord]
        if each.more:
            run = each.chord, each.id, each.run
            chord.grown += each.more - grown.get(run, 0)
            grown[run] = each.more
        if each.part is None:
            continue
        chord.arrived += (*key, 0) not in known and key not in parts
        parts[key] = each.part
        if each.then is not None and chord.is_fired_by(each, key[1], again=again):
            then.append(each.then)
    _put(connection, parts)
    if grown:
        connection.execute(_GROW, (_text([(*run, more) for run, more in grown.items()]),))
    _write(connection, chords.values(), now, expires)
    return then


def _text(value: object) -> str:
    """As JSON for SQLite; refuses ids that it cannot keep: they would become other ids."""
    try:
        text = pack.text(value)
    except UnicodeEncodeError as error:
        raise BrokerRefused(f"the id of a chord or of a part of it is no text: {error}") from error
    if "\\u0000" in text:
        raise BrokerRefused("SQLite cannot keep the id of a chord or of a part of it that holds NUL")
    return text


def _key(arrival: Arrival) -> tuple[str, int, str]:
    return arrival.chord, BEHIND if arrival.index is None else arrival.index, arrival.id


def _find(connection: sqlite3.Connection, sql: str, keys: Sequence[tuple[object, ...]]) -> list[list[Any]]:
    rows: list[list[Any]] = pack.from_json(connection.execute(sql, (_text(keys),)).fetchone()[0])
    return rows


def expect(connection: sqlite3.Connection, chord: str, size: int, now: float, expires: float | None) -> None:
    """Note how many parts it has."""
    chords = _open(connection, {chord}, now)
    if not chords[chord].done:
        chords[chord].size = size
        _write(connection, chords.values(), now, expires)


def ended(connection: sqlite3.Connection, chord: str, now: float) -> bool:
    """True if it is done."""
    sql = "SELECT 1 FROM chord WHERE id = ? AND done AND (expires IS NULL OR expires > ?)"
    return connection.execute(sql, (chord, now)).fetchone() is not None


def done(connection: sqlite3.Connection, chord: str, now: float, expires: float | None) -> None:
    """Keep nothing but that it was."""
    _drop_parts(connection, [chord])
    _write(connection, [Chord(chord, done=1)], now, expires)


def read(connection: sqlite3.Connection, chord: str, now: float) -> Parts | None:
    """How far it is."""
    _text(chord)
    try:
        row = connection.execute(_READ, {"chord": chord, "now": now}).fetchone()
    except sqlite3.DataError:  # together they are too long for SQLite
        row = connection.execute(f"SELECT size + grown {_ONE}", {"chord": chord, "now": now}).fetchone()
        return row and Parts(row[0], [each[0] for each in connection.execute(_DOCUMENTS[1:-1], {"chord": chord})])
    return row and Parts(row[0], list(pack.split(row[2] or b"", pack.from_json(row[1]))))


def _open(connection: sqlite3.Connection, ids: set[str], now: float) -> dict[str, Chord]:
    """What is known of these, and new ones where nothing is; what is past its age is gone."""
    found = {each.id: each for each in _rows(connection.execute(_CHORDS, (_text(list(ids)), now)).fetchone()[0])}
    if new := [id for id in ids if id not in found]:
        rows = connection.execute(f"DELETE FROM chord WHERE id {_AMONG}", (_text(new),))
        if rows.rowcount:
            _drop_parts(connection, new)
    return found | {id: Chord(id) for id in new}


def _put(connection: sqlite3.Connection, parts: dict[tuple[str, int, str], bytes]) -> None:
    keys, documents = list(parts), list(parts.values())
    for part in slices(list(map(len, documents)), pack.JOINED_BYTES):
        joined, marks = pack.join(documents[part])
        rows = [(*key, mark) for key, mark in zip(keys[part], marks, strict=True)]
        connection.execute(_PUT, (joined, _text(rows)))


def _write(connection: sqlite3.Connection, chords: Iterable[Chord], now: float, expires: float | None) -> None:
    chords = list(chords)
    for each in chords:
        seconds = life(each.size, expires, is_done=bool(each.done))
        each.expires = None if seconds is None else now + seconds
    connection.execute(_WRITE, (_text(chords),))


def _drop_parts(connection: sqlite3.Connection, chords: Sequence[str]) -> None:
    ids = _text(chords)
    connection.execute(f"DELETE FROM part WHERE chord {_AMONG}", (ids,))
    connection.execute(f"DELETE FROM growth WHERE chord {_AMONG}", (ids,))


def sweep(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Delete up to `limit` chords and groups past their age; tells how many."""
    old = [row[0] for row in connection.execute("SELECT id FROM chord WHERE expires <= ? LIMIT ?", (now, limit)).fetchall()]
    if old:
        _drop_parts(connection, old)
        connection.execute(f"DELETE FROM chord WHERE id {_AMONG}", (_text(old),))
    groups = connection.execute("DELETE FROM saved WHERE id IN (SELECT id FROM saved WHERE expires <= ? LIMIT ?)", (now, limit))
    return len(old) + groups.rowcount
