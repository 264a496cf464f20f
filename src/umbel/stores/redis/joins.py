"""Arrivals at chords as they go into scripts."""

from __future__ import annotations

from typing import Any

from umbel.stores.join import Arrival
from umbel.wire.envelope import Envelope

REMEMBERED = 3600.0
"""Seconds for which a chord is known to be done. Without its size, which is gone, no double makes it whole again later."""


OURS = b"umbel "
"""Begins the claim to fire a chord that is one of umbel's."""


class Follows:
    """What follows chords, each once however many parts bear it: all of one chord bear the same, as a rule."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self._latest: dict[str, int] = {}

    def number(self, arrival: Arrival) -> int:
        """Its number, counted from 1; 0 if nothing follows."""
        if arrival.then is None:
            return 0
        known = self._latest.get(arrival.chord)
        if known and self.envelopes[known - 1] == arrival.then:
            return known
        self.envelopes.append(arrival.then)
        self._latest[arrival.chord] = number = len(self.envelopes)
        return number


def as_arguments(arrival: Arrival, number: int) -> tuple[Any, ...]:
    """One arrival as `joins.lua` reads it, with the number of what follows."""
    index = "+inf" if arrival.index is None else arrival.index
    has_part = int(arrival.part is not None)
    return arrival.chord, arrival.id, index, has_part, arrival.part or b"", arrival.more, arrival.run, number
