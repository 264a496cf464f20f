"""The chords in the project's database: who is to write one holds its row until the transaction ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import F

from umbel import clock
from umbel.django.models import Chord, Part
from umbel.django.reach import bytes_of, key_of, pages, shown, upsert
from umbel.stores.join import Arrival, Parts, life
from umbel.stores.slices import slices
from umbel.wire.envelope import Envelope

LONG = 10_000
"""Letters of an id that are kept to be looked at, and to put parts in order; keys are made of all of it."""


class Chords:
    """All of one database; their records live as `life` says, from when they were touched last."""

    def __init__(self, alias: str, expires: float | None):
        self._chords = Chord.objects.using(alias)
        self._parts = Part.objects.using(alias)
        self._expires = expires

    def touch(self, ids: Collection[str]) -> dict[str, Any]:
        """The records of these, held by this transaction and alive from now on; new ones where there are none."""
        now = clock.now()
        until = None if self._expires is None else now + self._expires  # of new ones; `save` says it of all
        names = {key_of(id): id for id in ids}
        keys = sorted(names)  # in one order: nobody waits in a circle
        self._chords.bulk_create(
            [Chord(key=key, chord=shown(names[key], LONG), expires=until) for key in keys], ignore_conflicts=True
        )
        held: dict[str, Any] = {}
        for page in pages(keys):
            rows = self._chords.filter(key__in=page)
            rows.update(arrived=F("arrived"))  # takes the rows, also where there is no SELECT FOR UPDATE
            held |= {names[chord.key]: chord for chord in rows}
        for id, chord in held.items():
            if chord.expires is not None and chord.expires <= now:
                self._parts.filter(chord=chord.key).delete()
                held[id] = Chord(key=chord.key, chord=chord.chord)
        return held

    def save(self, connection: Any, chords: Collection[Any]) -> None:
        """Write the records of some that were touched."""
        now = clock.now()
        for each in chords:
            seconds = life(each.size, self._expires, is_done=each.is_done)
            each.expires = None if seconds is None else now + seconds
        self._chords.bulk_create(chords, **upsert(connection, "key", _CHANGING))

    def expect(self, connection: Any, id: str, size: int) -> None:
        """Note the size."""
        chord = self.touch([id])[id]
        chord.size = size
        self.save(connection, [chord])

    def note(self, connection: Any, arrivals: Sequence[Arrival]) -> list[Envelope]:
        """Count these in their order; gives what is to be sent of chords that are whole now, to who completed one also again."""
        held = self.touch({each.chord for each in arrivals})
        keys = sorted({_key(each) for each in arrivals if each.part is not None})
        known = {key for page in pages(keys) for key in self._parts.filter(key__in=page).values_list("key", flat=True)}
        parts: dict[str, Any] = {}
        then = [_count(held[each.chord], each, known, parts) for each in arrivals]
        rows = [parts[key] for key in sorted(parts)]
        for some in slices([len(row.document) for row in rows], most=1000):
            self._parts.bulk_create(rows[some], **upsert(connection, "key", ("document",)))
        self.save(connection, held.values())
        return [each for each in then if each is not None]

    def parts(self, id: str) -> Parts | None:
        """How far it is; None if nothing is known, or it is done."""
        chord = self._chords.filter(key=key_of(id), is_done=False).first()
        if chord is None or (chord.expires is not None and chord.expires <= clock.now()):
            return None
        rows = list(self._parts.filter(chord=chord.key).values_list("index", "task_id", "document"))
        rows.sort(key=lambda row: (row[0] is None, row[0] or 0, row[1]))
        return Parts(None if chord.size is None else _size(chord), [bytes_of(document) for _, _, document in rows])

    def done(self, connection: Any, id: str) -> None:
        """Keep nothing but that it was."""
        chord = self.touch([id])[id]
        chord.is_done = True
        chord.grown, chord.arrived = {}, 0
        self._parts.filter(chord=chord.key).delete()
        self.save(connection, [chord])

    def sweep(self, now: float) -> None:
        """Drop those that are past their age."""
        old = list(self._chords.filter(expires__lte=now).values_list("key", flat=True))
        for page in pages(old):
            self._parts.filter(chord__in=page).delete()
            self._chords.filter(key__in=page, expires__lte=now).delete()


_CHANGING = ("size", "grown", "arrived", "completed_by", "is_done", "expires")


def _key(arrival: Arrival) -> str:
    return key_of(arrival.chord, str(arrival.index), arrival.id)


def _size(chord: Any) -> int:
    """How many parts it has."""
    return int(chord.size + sum(chord.grown.values()))


def _count(chord: Any, arrival: Arrival, known: set[str], parts: dict[str, Any]) -> Envelope | None:
    """Count one; `known` are the keys of parts that are there, `parts` gets the row to be written."""
    if chord.is_done:
        return None
    if arrival.more:
        chord.grown[f"{arrival.run} {arrival.id}"] = arrival.more
    if arrival.part is None:
        return None
    key = _key(arrival)
    chord.arrived += key not in known
    known.add(key)
    parts[key] = Part(key=key, chord=chord.key, index=arrival.index, task_id=shown(arrival.id, LONG), document=arrival.part)
    if arrival.then is None or chord.size is None or chord.arrived < _size(chord):
        return None
    chord.completed_by = chord.completed_by or key
    return arrival.then if chord.completed_by == key else None
