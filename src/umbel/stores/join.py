"""What stores count of chords: parts that arrive one by one until all are there, and the message that then goes out."""

from __future__ import annotations

import msgspec

from umbel.wire.envelope import Envelope

WAITS = 365 * 86400.0
"""Seconds for which a chord that is under way is kept, from when it was touched last: a part may wait far longer than results are
kept. An end it has all the same, since nobody tells of parts that were purged."""
OPEN = 1 << 40
"""The size of a chord whose sender still makes parts: more than it will ever have."""


def life(size: int | None, expires: float | None, *, is_done: bool = False) -> float | None:
    """For how many seconds from now the record of a chord is kept, where results are for `expires`."""
    return expires if expires is None or size is None or is_done else max(expires, WAITS)


class Arrival(msgspec.Struct, gc=False):
    """What the end of one run does to the chord that it is a part of."""

    chord: str
    """The id of its group."""
    id: str
    """Of the part: that of its task, of a chain its last one; the same for all runs and whatever end it takes."""
    index: int | None
    """Its place in the chord, that it may share with parts by which the chord grew. None: behind all that have one."""
    part: bytes | None
    """What is kept of it: Celery's document of a member, the JSON of `[1, id, state, value]`. None: it has not arrived, the chord
    only grows."""
    then: Envelope | None = None
    """What is to be sent once all parts have arrived: the order to fire this chord, which reads the parts."""
    more: int = 0
    """By how many parts this run makes the chord grow in all, before its own is counted; 0 says nothing of it."""
    run: int = 0
    """The number of the run, if others of the same task make the chord grow too (retries)."""


class Parts(msgspec.Struct, gc=False):
    """How far a chord is."""

    size: int | None
    """How many parts it has, those that it grew by included; None: nobody has told yet. From OPEN on it is not known."""
    arrived: list[bytes]
    """In the order of their index, those of the same (or none) in the order of their ids."""
    is_damaged: bool = False
    """True if the store has lost others that had arrived: then it never is whole."""

    @property
    def is_whole(self) -> bool:
        """True if none is missing."""
        return self.size is not None and len(self.arrived) >= self.size
