"""The broker in memory: shared by the threads of one process under one name."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from msgspec.structs import replace

from umbel import clock
from umbel.stores import fork
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Buried, Conclusion, Delivery, Depth, Once, Recovered, Renewal, Revocation
from umbel.stores.memory.backend import MemoryBackend, keep
from umbel.stores.memory.room import EMPTY, Hold, Item, room
from umbel.stores.owner import new_owner
from umbel.stores.share import share
from umbel.wire.envelope import Envelope


class MemoryBroker(Broker):
    """One owner in the memory store `name`."""

    sees_all = True

    def __init__(self, name: str = "", *, lease: float = 30.0, max_deliveries: int = 5):
        self.url = f"memory://{name}"
        self.owner = new_owner()
        self._room = room(name)
        self._lease = lease
        self._max_deliveries = max_deliveries
        self._results: MemoryBackend | None = None
        self._registered = False
        self._lost = False
        self._closed = False
        self._turn = 0
        fork.watch(self)

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        if not envelopes:
            return
        with self._room.changed:
            self._put(envelopes)

    def _put(self, envelopes: Sequence[Envelope]) -> None:
        now = clock.now()
        for envelope in envelopes:
            self._room.put(Item(envelope, now), due=envelope.due)
        self._room.changed.notify_all()

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        with self._room.changed:
            now = clock.now()
            accepted = [self._room.is_next(each.stream, each.number, now) for each in messages]
            self._put([each.envelope for each, is_next in zip(messages, accepted, strict=True) if is_next])
            return accepted

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        until = clock.monotonic() + wait
        names = list(dict.fromkeys(queues))
        with self._room.changed:
            while not self._closed and limit > 0:
                self._register()
                if taken := self._take(names, limit):
                    return taken
                left = until - clock.monotonic()
                if left <= 0:
                    break
                self._room.changed.wait(min(left, self._next_due(names)))
        return []

    def _register(self) -> None:
        if self.owner in self._room.owners:
            return
        self._lost |= self._registered
        self._registered = True
        self._room.owners[self.owner] = clock.now() + self._lease

    def _take(self, names: list[str], limit: int) -> list[Delivery]:
        shelves = [self._room.shelves.get(name, EMPTY) for name in names]
        for shelf in shelves:
            shelf.wake(clock.now())
        self._turn += 1
        counts = share([shelf.count for shelf in shelves], limit, self._turn)
        return [self._hold(item) for shelf, count in zip(shelves, counts, strict=True) for item in shelf.take(count)]

    def _hold(self, item: Item) -> Delivery:
        item.attempts += 1
        hold = Hold(item, self.owner)
        self._room.held[hold] = None
        revoked = item.envelope.id in self._room.revoked and self._room.is_revoked(item.envelope.id)
        past = item.attempts, item.begun, item.parked
        return Delivery(item.envelope, item.envelope.queue, hold, *past, revoked, when=clock.now())

    def _next_due(self, names: list[str]) -> float:
        """Seconds until the next of these is due; a moved clock is noticed within the second."""
        firsts = [self._room.shelves[name].later[:1] for name in names if name in self._room.shelves]
        return max(min([first[0][0] - clock.now() for first in firsts if first], default=1.0), 0.0) + 0.0005

    def _holds(self, deliveries: Sequence[Delivery]) -> tuple[list[tuple[Delivery, Hold]], list[Delivery]]:
        """Those that are still held here, and those that are not; the same twice is held once."""
        kept: dict[Hold, Delivery] = {}
        lost = []
        for delivery in deliveries:
            hold = delivery.receipt
            if isinstance(hold, Hold) and hold in self._room.held and hold.owner == self.owner and hold not in kept:
                kept[hold] = delivery
            else:
                lost.append(delivery)
        return [(delivery, hold) for hold, delivery in kept.items()], lost

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        with self._room.changed:
            kept, lost = self._holds(early)
            for _, hold in kept:
                hold.begun = True
            return lost

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        with self._room.changed:
            kept, lost = self._holds([conclusion.delivery for conclusion in conclusions])
            holds = {id(delivery): hold for delivery, hold in kept}
            for conclusion in conclusions:
                if hold := holds.pop(id(conclusion.delivery), None):
                    self._conclude(conclusion, hold)
            self._room.changed.notify_all()
            return lost

    def proceed(self, conclusions: Sequence[Conclusion], queues: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
        names = list(dict.fromkeys(queues))
        with self._room.changed:
            is_free = not self._closed and not self._ready(names)
            leading = [each.delivery for each in conclusions if each.leads]
            places = len(self._holds(leading)[0])
            lost = self.conclude(conclusions)
            return lost, self._take(names, places) if is_free and places else []

    def _ready(self, names: list[str]) -> int:
        shelves = [self._room.shelves.get(name, EMPTY) for name in names]
        for shelf in shelves:
            shelf.wake(clock.now())
        return sum(shelf.count for shelf in shelves)

    def _conclude(self, conclusion: Conclusion, hold: Hold) -> None:
        del self._room.held[hold]
        if conclusion.delivery.revoked:
            self._room.revoked.pop(hold.item.envelope.id, None)
        expires = self._results.expires if self._results else 86400.0
        keep(self._room, conclusion.results, expires)
        self._put(conclusion.envelopes)
        if conclusion.arrivals:
            self._put(self._room.chords.note(conclusion.arrivals, clock.now(), expires))
        if conclusion.buried is not None:
            self._bury(hold.item, conclusion.buried)

    def _bury(self, item: Item, reason: str) -> None:
        number = next(self._room.count)
        letter = Buried(f"{number:d}", item.envelope, item.envelope.queue, reason, clock.now(), item.attempts)
        self._room.dead[number] = letter

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        with self._room.changed:
            due = None if delay is None else clock.now() + delay
            kept, lost = self._holds(undone)
            for _, hold in reversed(kept):
                if parked and hold.item.parked is None:
                    hold.item.parked = clock.now()
                self._room.free(hold, due=due, counted=counted, begun=hold.begun and counted)
            self._room.changed.notify_all()
            return lost

    def renew(self, seconds: float) -> Renewal:
        with self._room.changed:
            self._register()
            lost, self._lost = self._lost, False
            now = clock.now()
            self._room.owners[self.owner] = now + seconds
            return Renewal(not lost, now)

    def sweep(self, *, most: int | None, seconds: float | None) -> int:
        with self._room.changed:
            dead, oldest = self._room.dead, None if seconds is None else clock.now() - seconds
            spare = 0 if most is None else len(dead) - most
            old = [key for place, (key, each) in enumerate(dead.items()) if place < spare or (oldest and each.when < oldest)]
            for key in old:
                del dead[key]
            return len(old)

    def recover(self, until: float | None = None) -> Recovered:
        done = Recovered()
        with self._room.changed:
            now = clock.now() if until is None else min(clock.now(), until)
            dead = {owner for owner, end in self._room.owners.items() if end <= now and owner != self.owner}
            for owner in dead:
                del self._room.owners[owner]
            for hold in [hold for hold in reversed(self._room.held) if hold.owner in dead]:
                if hold.begun or hold.item.begun or hold.item.attempts >= self._max_deliveries:
                    self._register()
                    done.stranded.append(self._strand(hold))
                else:
                    self._room.free(hold, counted=True)
                    done.returned += 1
            if done.returned:
                self._room.changed.notify_all()
        return done

    def _strand(self, hold: Hold) -> Delivery:
        del self._room.held[hold]
        hold.item.begun |= hold.begun
        return self._hold(hold.item)

    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        with self._room.changed:
            for each in revocations:
                self._room.revoke(each, clock.now() + seconds)

    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        with self._room.changed:
            found = [each for each in self._room.revoked.values() if each.mark > after]
            kept = [Revocation(each.id, each.signal) for each in found if self._room.is_revoked(each.id)]
            return max([after, *[each.mark for each in found]]), kept

    def queues(self) -> list[str]:
        with self._room.changed:
            names = {name for name, shelf in self._room.shelves.items() if shelf.count or shelf.later}
            names |= {hold.item.envelope.queue for hold in self._room.held}
            return sorted(names | {letter.queue for letter in self._room.dead.values()})

    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        with self._room.changed:
            now = clock.now()
            return {name: self._depth(name, now) for name in queues}

    def upcoming(self, queues: Sequence[str], limit: int) -> list[Envelope]:
        with self._room.changed:
            now = clock.now()
            found = []
            for name in dict.fromkeys(queues):
                shelf = self._room.shelves.get(name, EMPTY)
                shelf.wake(now)
                found += [(due, number, item.envelope) for due, number, item in heapq.nsmallest(limit, shelf.later)]
        found.sort(key=lambda each: each[:2])
        return [replace(envelope, due=due) for due, _, envelope in found[:limit]]

    def hasten(self, queues: Sequence[str], within: float) -> int:
        with self._room.changed:
            now = clock.now()
            count = sum(
                self._room.shelves[name].wake(now, within) for name in dict.fromkeys(queues) if name in self._room.shelves
            )
            self._room.changed.notify_all()
            return count

    def _depth(self, name: str, now: float) -> Depth:
        shelf = self._room.shelves.get(name, EMPTY)
        shelf.wake(now)
        firsts = [line[0].ready for line in shelf.ready if line]
        return Depth(
            ready=shelf.count,
            held=sum(hold.item.envelope.queue == name for hold in self._room.held),
            later=len(shelf.later),
            dead=sum(letter.queue == name for letter in self._room.dead.values()),
            oldest=max(now - min(firsts), 0.0) if firsts else None,
        )

    def purge(self, queue: str) -> int:
        with self._room.changed:
            return self._room.shelves[queue].clear() if queue in self._room.shelves else 0

    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        last = int(after) if after.isdecimal() else 0
        with self._room.changed:
            letters = (letter for number, letter in self._room.dead.items() if number > last)
            return [letter for letter in letters if queue is None or letter.queue == queue][: max(limit, 0)]

    def _dig(self, keys: Sequence[str]) -> list[Buried]:
        numbers = [int(key) for key in dict.fromkeys(keys) if key.isdecimal()]
        return [self._room.dead.pop(number) for number in numbers if number in self._room.dead]

    def revive(self, keys: Sequence[str]) -> int:
        with self._room.changed:
            letters = self._dig(keys)
            self._put([letter.envelope for letter in letters])
            return len(letters)

    def discard(self, keys: Sequence[str]) -> int:
        with self._room.changed:
            return len(self._dig(keys))

    def keeps(self, backend: ResultBackend) -> bool:
        """True for a backend of the same name; what `conclude` writes then expires as that backend says."""
        if not isinstance(backend, MemoryBackend) or backend.room is not self._room:
            return False
        self._results = backend
        return True

    def close(self) -> None:
        with self._room.changed:
            self._closed = True
            for hold in [hold for hold in reversed(self._room.held) if hold.owner == self.owner]:
                self._room.free(hold, begun=hold.begun)
            self._room.owners.pop(self.owner, None)
            self._registered = False
            self._room.changed.notify_all()

    def before_fork(self) -> None:
        """Nothing to make ready."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """Another process is another owner."""
        self.owner = new_owner()
        self._registered = self._lost = False
