"""An owner that waits on a few queues: how it watches, looks, and takes what a wait has brought (see `watch`)."""

from __future__ import annotations

from umbel import clock
from umbel.stores.broker import Delivery
from umbel.stores.redis.element import PLAIN
from umbel.stores.redis.hands import Hands
from umbel.stores.redis.link import Command, Link
from umbel.stores.redis.names import Names
from umbel.stores.redis.scripts import Scripts
from umbel.stores.redis.waiters import Waiters
from umbel.stores.redis.watch import Move, Watch

INTAKE = 10.0
"""Seconds for which one look at the queues lets waits fill an intake; `recover` knows of it so long."""


class Watches:
    """The watches of one owner. Any thread may use it."""

    def __init__(self, link: Link, scripts: Scripts, names: Names, hands: Hands):
        self._link = link
        self._scripts = scripts
        self._names = names
        self._hands = hands
        self.waiters = Waiters[Watch]()

    def reserve(self, queues: tuple[str, ...], limit: int, until: float) -> list[Delivery]:
        """What there is, as soon as there is anything; nothing at `until` (monotonic), or once all are stopped."""
        watch = self.waiters.call_up(queues, self._watch)
        try:
            if watch.is_quiet and not self._wait(watch, until):
                return []
            while not watch.catch.booked and not self.waiters.are_stopped:
                watch.will_look()
                found, soon, waits = self._hands.take(queues, limit, watch=INTAKE)
                if found or clock.monotonic() >= until:
                    return found
                watch.looked(soon, waits)
                if not self._wait(watch, until):
                    return []
            return self._caught(watch, limit)
        except BaseException:
            self._hands.handouts.miss(watch.asked())
            watch.close()
            self._link.close()  # most likely the other connections are as dead
            raise
        finally:
            self.waiters.let_rest(watch)

    def _wait(self, watch: Watch, until: float) -> bool:
        """True if it is time to look, or something was brought; False at the end."""
        while not self.waiters.are_stopped:
            left = until - clock.monotonic()
            if left <= 0:
                return False
            if watch.wait(left):
                return True
        return False

    def _caught(self, watch: Watch, limit: int) -> list[Delivery]:
        """What a wait has booked: one message, and seldom one of another queue."""
        hands, found = self._hands, list[Delivery]()
        for queue, (field, packed, mark, (seconds, microseconds), _) in watch.catch.booked:
            when = int(seconds) + int(microseconds) / 1e6
            found += hands.revoked.mark(hands.read([(packed, queue, PLAIN, field.decode(), when)]), mark)
        if beyond := found[limit:]:
            self._link.run(self._scripts.release(hands.owner, 0.0, False, False, map(hands.field, beyond)))
        watch.taken()
        return found[:limit]

    def _watch(self, queues: tuple[str, ...]) -> Watch:
        names, owner = self._names, self._hands.owner
        moves = [Move(queue, names.list(queue, PLAIN), names.intake(owner, queue)) for queue in queues]
        tracked = [key for queue in queues for key in names.unusual(queue)], [names.soonest(queue) for queue in queues]
        return Watch(self._link, moves, tracked, self._book, INTAKE)

    def _book(self, queue: str) -> tuple[int, Command]:
        """The hand-out and the command that books what a wait has moved from this queue."""
        handout = self._hands.handouts.new()
        return handout, self._scripts.book(self._hands.owner, f"{handout}.1 {PLAIN} {queue}", queue)
