"""The chords of the memory store. Whoever calls is inside the room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from umbel.stores.join import Arrival, Parts, life
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
    """All of them; of those that live equally long, the one that was touched last stands last."""

    def __init__(self) -> None:
        self._chords: dict[str, Chord] = {}
        self._done: dict[str, Chord] = {}

    def find(self, id: str, now: float) -> Chord | None:
        """One that is not past its age."""
        chord = self._done.get(id) or self._chords.get(id)
        return None if chord is None or _is_old(chord, now) else chord

    def expect(self, id: str, size: int, now: float, expires: float | None) -> None:
        """Note how many parts it has."""
        chord = self.find(id, now) or Chord()
        chord.size = size
        self._touch(id, chord, now, expires)

    def ended(self, id: str, now: float) -> bool:
        """True if it is done."""
        chord = self.find(id, now)
        return chord is not None and chord.is_done

    def done(self, id: str, now: float, expires: float | None) -> None:
        """Keep nothing but that it was."""
        chord = self.find(id, now) or Chord()
        chord.end()
        self._chords.pop(id, None)
        self._touch(id, chord, now, expires)

    def _touch(self, id: str, chord: Chord, now: float, expires: float | None) -> None:
        """Let it live from now on."""
        seconds = life(chord.size, expires, is_done=chord.is_done)
        chord.until = None if seconds is None else now + seconds
        there = self._done if chord.is_done else self._chords
        there.pop(id, None)
        there[id] = chord
        while _is_old(first := next(iter(there.values())), now) and first is not chord:
            del there[next(iter(there))]

    def note(self, arrivals: Sequence[Arrival], now: float, expires: float | None, *, again: bool = False) -> list[Envelope]:
        """Count these; gives what is to be sent then."""
        then = []
        for each in arrivals:
            chord = self.find(each.chord, now) or Chord()
            then.append(chord.note(each, again=again))
            self._touch(each.chord, chord, now, expires)
        return [each for each in then if each is not None]

    def sweep(self, now: float) -> None:
        """Drop those that are past their age."""
        for there in (self._chords, self._done):
            for id in [id for id, chord in there.items() if _is_old(chord, now)]:
                del there[id]


def _is_old(chord: Chord, now: float) -> bool:
    return chord.until is not None and chord.until <= now
