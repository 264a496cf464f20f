"""The chords of the memory store. Whoever calls is inside the room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from umbel.stores.join import Arrival, Parts
from umbel.wire.envelope import Envelope

Key = tuple[float, str]
"""A part's index, and its id."""


@dataclass(slots=True)
class Chord:
    """What is known of one."""

    size: int | None = None
    grown: dict[tuple[str, int], int] = field(default_factory=dict)
    """By how many parts, for each task and run that made it grow."""
    parts: dict[Key, bytes] = field(default_factory=dict)
    completed_by: Key | None = None
    is_done: bool = False
    until: float | None = None

    def note(self, arrival: Arrival, *, again: bool) -> Envelope | None:
        """Count it; gives what is to be sent then, to who completed the chord also `again`."""
        if self.is_done:
            return None
        if arrival.more:
            self.grown[arrival.id, arrival.run] = arrival.more
        if arrival.part is None:
            return None
        key = math.inf if arrival.index is None else arrival.index, arrival.id
        self.parts[key] = arrival.part
        size = self.count
        if arrival.then is None or size is None or len(self.parts) < size:
            return None
        if self.completed_by is None:
            self.completed_by = key
            return arrival.then
        return arrival.then if again and self.completed_by == key else None

    @property
    def count(self) -> int | None:
        """How many parts it has."""
        return None if self.size is None else self.size + sum(self.grown.values())

    def read(self) -> Parts:
        """How far it is, and what has arrived."""
        return Parts(self.count, [self.parts[key] for key in sorted(self.parts)])

    def end(self) -> None:
        """Keep nothing but that it was."""
        self.is_done = True
        self.parts.clear()
        self.grown.clear()


class Chords:
    """All of them; the one that was touched last stands last."""

    def __init__(self) -> None:
        self._chords: dict[str, Chord] = {}

    def find(self, id: str, now: float) -> Chord | None:
        """One that is not past its age."""
        chord = self._chords.get(id)
        return None if chord is None or _is_old(chord, now) else chord

    def touch(self, id: str, now: float, expires: float | None) -> Chord:
        """One that lives from now on as long as results do; a new one if there is none."""
        chord = self.find(id, now) or Chord()
        self._chords.pop(id, None)
        self._chords[id] = chord
        chord.until = None if expires is None else now + expires
        while _is_old(first := next(iter(self._chords.values())), now) and first is not chord:
            del self._chords[next(iter(self._chords))]
        return chord

    def note(self, arrivals: Sequence[Arrival], now: float, expires: float | None, *, again: bool = False) -> list[Envelope]:
        """Count these; gives what is to be sent then."""
        then = [self.touch(each.chord, now, expires).note(each, again=again) for each in arrivals]
        return [each for each in then if each is not None]

    def sweep(self, now: float) -> None:
        """Drop those that are past their age."""
        self._chords = {id: chord for id, chord in self._chords.items() if not _is_old(chord, now)}


def _is_old(chord: Chord, now: float) -> bool:
    return chord.until is not None and chord.until <= now
