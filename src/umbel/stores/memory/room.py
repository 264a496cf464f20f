"""The shelves of the memory store: everything that the owners of one name share.

What is ready stands in a deque for each priority, what is not due in a heap, what is held in the order of its hand-out; the one
condition guards all of it and wakes those who wait.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Condition, Lock
from typing import Protocol

from umbel import clock
from umbel.stores import fork
from umbel.stores.broker import ASTRAY, REMEMBERED, Buried, Revocation
from umbel.stores.channel import Note
from umbel.stores.memory.joins import Chords
from umbel.stores.schedule import Leader, Row
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

PRIORITIES = 10
_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Item:
    """One envelope and its past."""

    envelope: Envelope
    ready: float
    """Since when it may be handed out."""
    number: int = 0
    """Its place in line."""
    attempts: int = 0
    begun: bool = False
    parked: float | None = None


@dataclass(slots=True, eq=False)
class Hold:
    """One item in the hands of one owner; it is its own receipt."""

    item: Item
    owner: str
    begun: bool = False
    """True if it was begun in this hold, whatever went before."""


@dataclass(slots=True)
class Revoked:
    """A revocation, as it is kept."""

    id: str
    signal: str | None
    until: float
    mark: int
    """Its place among all that were ever made."""


@dataclass(slots=True)
class Shelf:
    """One queue."""

    ready: list[deque[Item]] = field(default_factory=lambda: [deque() for _ in range(PRIORITIES)])
    """Each in the order of the numbers."""
    later: list[tuple[float, int, Item]] = field(default_factory=list)

    def wake(self, now: float, within: float = 0.0) -> int:
        """Make ready what is due, or will be within so many seconds; tells how much it was."""
        count = 0
        while self.later and self.later[0][0] <= now + within:
            due, _, item = heapq.heappop(self.later)
            item.ready = min(due, now)
            self.append(item)
            count += 1
        return count

    def append(self, item: Item) -> None:
        """Put it at the end of its line."""
        item.number = next(_numbers)
        self.ready[rank(item.envelope)].append(item)

    def give_back(self, item: Item) -> None:
        """Put it where it stood: in front, save for older ones that were given back too."""
        line, older = self.ready[rank(item.envelope)], []
        while line and line[0].number < item.number:
            older.append(line.popleft())
        line.appendleft(item)
        line.extendleft(reversed(older))

    @property
    def count(self) -> int:
        """How many are ready."""
        return sum(map(len, self.ready))

    def take(self, count: int) -> Iterator[Item]:
        """The `count` first: the most urgent, then the oldest."""
        for line in reversed(self.ready):
            while line and count:
                count -= 1
                yield line.popleft()

    def clear(self) -> int:
        """Drop what is ready or waits for its time; tells how many."""
        count = self.count + len(self.later)
        self.later.clear()
        for line in self.ready:
            line.clear()
        return count


@dataclass(slots=True)
class Timetable:
    """The schedule."""

    entries: dict[str, tuple[int, Row]] = field(default_factory=dict)
    """With the version of its last change."""
    gone: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Version and time; the first to go stands first."""
    version: int = 0
    forgotten: int = 0
    """The version of the last that is no longer in `gone`."""
    leader: Leader | None = None


class Listener(Protocol):
    """Somebody who is told what is published; one of them is none other."""

    def offer(self, note: Note) -> bool:
        """Keep the note if it is for this one."""


EMPTY = Shelf()
"""What a queue that nobody has sent to looks like."""


def rank(envelope: Envelope) -> int:
    """The priority, within its bounds."""
    return min(max(envelope.priority, 0), PRIORITIES - 1)


class Room:
    """One memory store. Whoever touches anything in it is inside `with room.changed`."""

    def __init__(self) -> None:
        self.empty()
        fork.watch(self)

    def empty(self) -> None:
        """Begin with nothing."""
        self.changed = Condition()
        self.shelves: dict[str, Shelf] = {}
        self.held: dict[Hold, None] = {}
        self.owners: dict[str, float] = {}
        self.dead: dict[int, Buried] = {}
        self.results: dict[str, tuple[Result, float | None]] = {}
        self.chords = Chords()
        self.groups: dict[str, tuple[bytes, float | None]] = {}
        self.count = itertools.count(1)
        self.revoked: dict[str, Revoked] = {}
        """By the task's id; the one that was made last stands last."""
        self.timetables: defaultdict[str, Timetable] = defaultdict(Timetable)
        """By the name of the schedule."""
        self.streams: dict[str, tuple[float, float]] = {}
        """The last number of each, and until when it is remembered; the one that was accepted last stands last."""
        self.listeners: dict[Listener, None] = {}

    def put(self, item: Item, *, due: float | None, front: bool = False) -> None:
        """Put it on its shelf, at the end, in front, or aside until it is due."""
        queue = item.envelope.queue
        shelf = self.shelves.get(queue)
        if shelf is None:
            shelf = self.shelves[queue] = Shelf()
        now = clock.now()
        shelf.wake(now)
        if due is not None and due > now:
            heapq.heappush(shelf.later, (due, next(self.count), item))
        elif front:
            shelf.give_back(item)
        else:
            shelf.append(item)

    def is_next(self, stream: str, number: float, now: float) -> bool:
        """True if the number is beyond the last of its stream, which it then is itself."""
        last = self.streams.get(stream, (float("-inf"), 0.0))[0]
        if number <= last <= now + ASTRAY:
            return False
        self.streams.pop(stream, None)
        self.streams[stream] = number, max(number, now) + REMEMBERED
        while (first := next(iter(self.streams))) != stream and self.streams[first][1] <= now:
            del self.streams[first]
        return True

    def free(self, hold: Hold, *, due: float | None = None, counted: bool = False, begun: bool = False) -> None:
        """Give the held item back, in front."""
        del self.held[hold]
        hold.item.attempts -= not counted
        hold.item.begun |= begun
        self.put(hold.item, due=due, front=True)

    def revoke(self, revocation: Revocation, until: float) -> None:
        """Keep it; and let go of those that were made first, if their time has passed."""
        mark = next(self.count)
        known = self.revoked.pop(revocation.id) if self.is_revoked(revocation.id) else None
        signal = revocation.signal or (known.signal if known else None)
        self.revoked[revocation.id] = Revoked(revocation.id, signal, max(until, known.until) if known else until, mark)
        while self.revoked and not self.is_revoked(next(iter(self.revoked))):
            pass  # asking is what removes it

    def is_revoked(self, id: str) -> bool:
        """True if it was, and the time has not passed."""
        known = self.revoked.get(id)
        if known and known.until <= clock.now():
            del self.revoked[id]
            return False
        return known is not None

    def before_fork(self) -> None:
        """Nothing to make ready: the child throws its copy away."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """Begin with nothing: what the parent has is the parent's, else both would run it."""
        self.empty()


_rooms: dict[str, Room] = {}
_lock = Lock()


def room(name: str) -> Room:
    """The store of that name, the same for everybody in this process."""
    with _lock:
        return _rooms.get(name) or _rooms.setdefault(name, Room())
