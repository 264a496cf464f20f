"""Looking out for those who wait on many queues: who is told of changes by the server, and calls one of them.

If all who wait were told, all would run for one message, and a server that tells a thousand does nothing else for milliseconds.
So two are told, whichever owners came first, and call one who waits to each queue that has something; the second acts a moment
later, and finds nothing to do as long as the first lives. Each keeps its post by a short lease in the server.
"""

from __future__ import annotations

import contextlib
import select
import threading
from collections.abc import Iterable, Sequence

import msgspec

from umbel import clock, guise
from umbel.errors import BrokerError, BrokerRefused
from umbel.stores.redis.bell import Bell
from umbel.stores.redis.link import Link, Wire, run_on
from umbel.stores.redis.names import Keys, Names
from umbel.stores.redis.scripts import Scripts

log = guise.logger("umbel.stores")

TRACK = "TRACKING"
POST = 3.0
"""Seconds for which a post is kept by one renewal; it is renewed every third of that."""
SECOND = 0.004
"""Seconds by which the second acts later than the first."""
SOON, LATE = 0.005, 0.05
"""Seconds from a call to the next look at its queue, at first and at most while calls are taken."""
IDLE = 1.0
"""The same while nobody takes the call: all have enough to do."""
BLIND = 0.02
"""Seconds between two looks at all queues where the server cannot tell of changes."""
CALL = 60
"""Seconds for which a call stays that nobody takes."""
REMEMBERED = 60.0
"""Seconds for which a queue is looked at that the server no longer knows to be awaited: it may have lost its data."""
AT_ONCE = 200
"""Queues in one exchange."""
AGAIN = 0.2
"""Seconds between two attempts to reach the server."""


class Open(msgspec.Struct):
    """A queue that had something at the last look."""

    again: float
    """When it is looked at again."""
    pause: float


class Lookout(threading.Thread):
    """One lookout; all that it knows belongs to its thread. `stop` may come from any."""

    def __init__(self, link: Link, number: int, owner: str, scripts: Scripts, names: Names):
        super().__init__(name="umbel-lookout", daemon=True)
        self._link = link
        self._number = number
        self._owner = owner
        self._scripts = scripts
        self._names = names
        self._delay = 0.0 if number == 1 else SECOND
        self._bell = Bell()
        self._stopped = False
        self._seen: dict[str, float] = {}
        """Queues, and when each was known to be awaited for the last time."""
        self._keys: dict[str, Keys] = {}
        self._of_key: dict[bytes, str] = {}
        self._begin()

    def _begin(self) -> None:
        """Know which queues are awaited, if that: the server that is reached next may have lost all, with who waits."""
        self._open: dict[str, Open] = {}
        self._due: dict[str, float] = {}
        """When the next of a queue is due that has nothing now."""
        self._changed: dict[str, float] = dict.fromkeys(("", *self._seen), 0.0)
        """Queues that are to be looked at, and when; '' stands for the list of them."""
        self._heard = clock.monotonic()
        """When the server has said anything on its own."""

    def run(self) -> None:
        """Look out until told to stop, or until another has the post."""
        while not self._stopped:
            try:
                with contextlib.ExitStack() as connections:
                    if not self._serve(connections):
                        return
            except BrokerError:
                self._pause(AGAIN)
            except Exception:
                log.exception("A lookout stumbled; it begins anew")
                self._pause(AGAIN)
            self._begin()

    def _pause(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._bell.fileno(), select.POLLIN)
        poll.poll(seconds * 1000)

    def _wire(self, connections: contextlib.ExitStack) -> Wire:
        wire = self._link.open()
        connections.callback(wire.close)
        wire.within(POST)
        return wire

    def _serve(self, connections: contextlib.ExitStack) -> bool:
        """Look out on new connections; False if the post is another's."""
        mouth, ear = self._wire(connections), self._ear(connections)
        if ear is not None:
            try:
                mouth.say(("CLIENT", TRACK, "ON", "REDIRECT", ear[1]))
                mouth.hear()
            except BrokerRefused:  # a server, or a proxy, that cannot
                ear = None
        poll = select.poll()
        poll.register(self._bell.fileno(), select.POLLIN)
        if ear is not None:
            poll.register(ear[0].fileno(), select.POLLIN)
        renewal = clock.monotonic()
        while not self._stopped:
            now = clock.monotonic()
            if now >= renewal:
                if not self._renew(mouth):
                    return False
                if ear is not None:
                    if now - self._heard > POST:
                        return True  # once more, on other connections
                    ear[0].say(("PING",))
                renewal = now + POST / 3
            if ear is None:
                self._changed = dict.fromkeys(self._seen, now)
            self._look(mouth)
            left = min([renewal, *self._next(), *([] if ear else [now + BLIND])]) - clock.monotonic()
            heard = poll.poll(max(left, 0.0) * 1000)
            if ear is not None and any(number == ear[0].fileno() for number, _ in heard):
                self._listen(ear[0])
        self._leave(mouth)
        return False

    def _ear(self, connections: contextlib.ExitStack) -> tuple[Wire, int] | None:
        """The connection on which the server tells of changes, and its number."""
        ear = self._wire(connections)
        ear.say(("CLIENT", "ID"), ("SUBSCRIBE", "__redis__:invalidate"))
        try:
            number: int = ear.hear()
            ear.hear()
        except BrokerRefused:
            return None
        return ear, number

    def _next(self) -> Iterable[float]:
        """When something is to be looked at."""
        yield from self._changed.values()
        yield from self._due.values()
        yield from (each.again for each in self._open.values())

    def _renew(self, mouth: Wire) -> bool:
        """Keep the post, and hear which queues are awaited."""
        is_ours, queues = run_on(mouth, self._scripts.look_out(self._number, self._owner, int(POST * 1000)))
        if not is_ours:
            return False
        if self._seen and not queues:  # it has lost its data, and those who wait tell again only in minutes
            run_on(mouth, self._scripts.wait_for(self._owner, int(POST * 1000), self._seen))
        self._know(queues)
        return True

    def _know(self, queues: Sequence[bytes]) -> None:
        now = clock.monotonic()
        for packed in queues:
            queue = packed.decode()
            if queue not in self._seen:
                self._keys[queue] = keys = self._names.of(queue)
                self._of_key |= {key.encode(): queue for key in (*keys.lists, keys.soonest)}
                self._changed[queue] = now
            self._seen[queue] = now
        for queue in [queue for queue, seen in self._seen.items() if seen < now - REMEMBERED]:
            keys = self._keys.pop(queue)
            for key in (*keys.lists, keys.soonest):
                self._of_key.pop(key.encode(), None)
            for known in (self._seen, self._open, self._due, self._changed):
                known.pop(queue, None)

    def _listen(self, ear: Wire) -> None:
        """Note which queues the server tells of."""
        self._heard = clock.monotonic()
        at = self._heard + self._delay
        while ear.has_more():
            kind, *_, told = ear.hear()
            if kind != b"message":
                continue
            for key in [None] if told is None else told:
                if key is None:  # all of them
                    for queue in self._seen:
                        self._changed.setdefault(queue, at)
                elif key == self._names.awaited.encode():
                    self._changed.setdefault("", at)
                elif (changed := self._of_key.get(key)) is not None and changed not in self._open:
                    self._changed.setdefault(changed, at)

    def _look(self, mouth: Wire) -> None:
        """Look at those whose time has come, and call somebody to each that has something."""
        now = clock.monotonic()
        if self._changed.get("", now + 1) <= now:
            self._changed.pop("", None)
            mouth.say(("ZRANGE", self._names.awaited, 0, -1))  # as a command of its own: so the server tells of the next change
            self._know(mouth.hear())
        queues = {queue for queue, at in self._changed.items() if queue and at <= now}
        queues |= {queue for queue, at in self._due.items() if at <= now}
        queues |= {queue for queue, each in self._open.items() if each.again <= now}
        asked = list(queues)
        for start in range(0, len(asked), AT_ONCE):
            self._ask(mouth, asked[start : start + AT_ONCE])

    def _ask(self, mouth: Wire, queues: Sequence[str]) -> None:
        mouth.say(("TIME",), *[each for queue in queues for each in self._questions(queue)])
        replies = mouth.hear_all(1 + 2 * len(queues))
        for reply in replies:
            if isinstance(reply, BrokerError):
                raise reply
        now, time = clock.monotonic(), int(replies[0][0]) + int(replies[0][1]) / 1e6
        full = []
        for queue, found, due in zip(queues, replies[1::2], replies[2::2], strict=True):
            self._changed.pop(queue, None)
            self._due.pop(queue, None)
            left = None if due is None else float(due) - time
            if found or (left is not None and left <= 0):
                full.append(queue)
                continue
            self._open.pop(queue, None)
            if left is not None:
                self._due[queue] = now + left + self._delay
        if full:
            self._call(mouth, full)

    def _questions(self, queue: str) -> Iterable[tuple[str, ...]]:
        keys = self._keys[queue]
        yield "EXISTS", *keys.lists
        yield "GET", keys.soonest

    def _call(self, mouth: Wire, queues: Sequence[str]) -> None:
        """Have somebody who waits look at these."""
        keys = [self._keys[queue].call for queue in queues]
        mouth.say(*[each for key in keys for each in (("ZADD", key, 0, ""), ("EXPIRE", key, CALL))])
        now = clock.monotonic()
        for queue in queues:
            is_new = mouth.hear()
            mouth.hear()
            known = self._open.get(queue)
            pause = SOON if known is None else min(known.pause * 2, LATE if is_new else IDLE)
            self._open[queue] = Open(now + pause, pause)

    def _leave(self, mouth: Wire) -> None:
        """Give the post up, so that another has it at once."""
        with contextlib.suppress(BrokerError):
            run_on(mouth, self._scripts.look_out(self._number, self._owner, 1))

    def stop(self) -> None:
        """End it, soon."""
        self._stopped = True
        self._bell.ring()
