"""The chords in the project's database: who is to write one holds its row until the transaction ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import F

from umbel import clock
from umbel.django.models import Chord, Part
from umbel.django.reach import key_of, pages, upsert
from umbel.stores.join import Arrival, Parts
from umbel.wire.envelope import Envelope


class Chords:
    """All of one database; their records live as long as results do, from when they were touched last."""

    def __init__(self, alias: str, expires: float | None):
        self._chords = Chord.objects.using(alias)
        self._parts = Part.objects.using(alias)
        self._expires = expires

    def touch(self, id: str) -> Any:
        """The record, held by this transaction and alive from now on; a new one if there is none."""
        key, now = key_of(id), clock.now()
        until = None if self._expires is None else now + self._expires
        self._chords.bulk_create([Chord(key=key, chord=id, expires=until)], ignore_conflicts=True)
        self._chords.filter(key=key).update(arrived=F("arrived"))  # takes the row, also where there is no SELECT FOR UPDATE
        chord = self._chords.get(key=key)
        if chord.expires is not None and chord.expires <= now:
            self._parts.filter(chord=key).delete()
            chord = Chord(key=key, chord=id)
        chord.expires = until
        return chord

    def save(self, chord: Any) -> None:
        """Write the record of one that was touched."""
        chord.save(force_update=True, using=self._chords.db)

    def expect(self, id: str, size: int) -> None:
        """Note the size."""
        chord = self.touch(id)
        chord.size = size
        self.save(chord)

    def note(self, connection: Any, arrivals: Sequence[Arrival]) -> list[Envelope]:
        """Count these in their order; gives what is to be sent of chords that are whole now, to who completed one also again."""
        held = {id: self.touch(id) for id in sorted({each.chord for each in arrivals})}  # in one order: nobody waits in a circle
        then = [self._count(connection, held[each.chord], each) for each in arrivals]
        for chord in held.values():
            self.save(chord)
        return [each for each in then if each is not None]

    def _count(self, connection: Any, chord: Any, arrival: Arrival) -> Envelope | None:
        if chord.is_done:
            return None
        if arrival.more:
            chord.grown[f"{arrival.run} {arrival.id}"] = arrival.more
        if arrival.part is None:
            return None
        key = key_of(chord.chord, str(arrival.index), arrival.id)
        chord.arrived += not self._parts.filter(key=key).exists()
        part = Part(key=key, chord=chord.key, index=arrival.index, task_id=arrival.id, document=arrival.part)
        self._parts.bulk_create([part], **upsert(connection, "key", ("document",)))
        if arrival.then is None or chord.size is None or chord.arrived < _count(chord):
            return None
        chord.completed_by = chord.completed_by or key
        return arrival.then if chord.completed_by == key else None

    def parts(self, id: str) -> Parts | None:
        """How far it is; None if nothing is known, or it is done."""
        chord = self._chords.filter(key=key_of(id), is_done=False).first()
        if chord is None or (chord.expires is not None and chord.expires <= clock.now()):
            return None
        rows = list(self._parts.filter(chord=chord.key).values_list("index", "task_id", "document"))
        rows.sort(key=lambda row: (row[0] is None, row[0] or 0, row[1]))
        return Parts(None if chord.size is None else _count(chord), [bytes(document) for _, _, document in rows])

    def done(self, id: str) -> None:
        """Keep nothing but that it was."""
        chord = self.touch(id)
        chord.is_done = True
        chord.grown, chord.arrived = {}, 0
        self._parts.filter(chord=chord.key).delete()
        self.save(chord)

    def sweep(self, now: float) -> None:
        """Drop those that are past their age."""
        old = list(self._chords.filter(expires__lte=now).values_list("key", flat=True))
        for page in pages(old):
            self._parts.filter(chord__in=page).delete()
            self._chords.filter(key__in=page, expires__lte=now).delete()


def _count(chord: Any) -> int:
    """How many parts it has."""
    return int(chord.size + sum(chord.grown.values()))
