"""Waiting for messages without asking again and again, and without a moment in which one could get lost.

For each queue a connection waits in BLMOVE on the plain list, where nearly all messages go: the server moves one message into
the owner's intake, which every `recover` knows, and wakes this one waiter and no other. The script that books it to the owner
is sent along and waits behind the move, so that a message is in hand after one way, not three. It tells also whether that was
the last: then the next wait begins without a look. What may come into the lists of other priorities, or falls due sooner than
what is known, is rarer: of that the server tells on one more connection for all queues (CLIENT TRACKING), and it tells all who
wait. So that they do not all run for one message, each looks a chance moment later, the more of them the longer, and only at
whether there is anything: those who are late see that it is gone.
"""

from __future__ import annotations

import contextlib
import random
import select
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from umbel import clock
from umbel.errors import BrokerDown, BrokerError, BrokerRefused
from umbel.stores.redis.bell import Bell
from umbel.stores.redis.link import Command, Link, Wire, is_no_script, spelled

LONGEST = 1.0
"""Seconds of one wait in the server."""
TRACK = "TRACKING"
FRESH = 5.0
"""Seconds after which the server is asked anew to tell of changes: it may have dropped the connection that asked."""
UNUSED = 60.0
"""Seconds after which connections that did not wait are opened anew: the server may have closed them."""
SLACK = 1.0
"""How much later than asked for the server may end a wait before it is given up for dead."""
SPREAD, WIDEST = 0.0005, 0.05
"""Seconds over which looks are spread for each who waits, and at most: a look and what follows take the server some 0.1 ms."""


class Tracker:
    """Is told by the server when one of these keys changes, once for each look at them."""

    def __init__(self, link: Link, keys: Sequence[str], times: Sequence[str]):
        """`keys` are of interest if they exist; `times` tell when the next messages are due."""
        self._keys = keys
        self._times = times
        self._armed = False
        self._asked = 0.0
        with contextlib.ExitStack() as opened:
            self.ear = link.open()
            opened.callback(self.ear.close)
            self._mouth = link.open()
            opened.callback(self._mouth.close)
            self.ear.say(("CLIENT", "ID"), ("SUBSCRIBE", "__redis__:invalidate"))
            number = self.ear.hear()
            self.ear.hear()
            self._mouth.say(("CLIENT", TRACK, "ON", "REDIRECT", number))
            self._mouth.hear()
            opened.pop_all()

    @property
    def is_armed(self) -> bool:
        """True if it will be told of what changes after the last look, which saw nothing."""
        return self._armed and clock.monotonic() - self._asked < FRESH

    def look(self) -> float:
        """In how many seconds there is something to take; not more than 0 if there is now."""
        self._asked = clock.monotonic()
        self._mouth.say(("EXISTS", *self._keys), ("MGET", *self._times), ("TIME",))
        found, times, (seconds, microseconds) = self._mouth.hear(), self._mouth.hear(), self._mouth.hear()
        now = int(seconds) + int(microseconds) / 1e6
        soonest = 0.0 if found else min((float(due) - now for due in times if due is not None), default=float("inf"))
        self._armed = soonest > 0
        return soonest

    def read(self) -> None:
        """Take note that the server tells of a change: it is to be looked at again."""
        while self.ear.has_more():
            self.ear.hear()
        self._armed = False

    def close(self) -> None:
        """Stop being told."""
        self.ear.close()
        self._mouth.close()


class Move(NamedTuple):
    """What a wait on a queue moves: from its plain list into the owner's intake."""

    queue: str
    source: str
    intake: str


class Line(NamedTuple):
    """The connection that waits on a queue, and its number on the server."""

    move: Move
    wire: Wire
    number: int


class Catch(msgspec.Struct):
    """What one wait has brought."""

    booked: list[tuple[str, Any]] = msgspec.field(default_factory=list)
    """Queues and what was booked of them."""
    handouts: list[int] = msgspec.field(default_factory=list)
    """Those under which it may have been booked: in vain, should nobody hear of it."""
    is_all: bool = True
    """False if there is, or may be, more."""


class Watch:
    """Waits on some queues for one owner. Belongs to one thread at a time; `stop` may come from any.

    The server may fill the intakes only for `life` seconds after each look at the queues: so long `recover` knows of them.
    """

    def __init__(
        self,
        link: Link,
        moves: Sequence[Move],
        tracked: tuple[Sequence[str], Sequence[str]],
        book: Callable[[str], tuple[int, Command]],
        life: float,
    ):
        """`tracked`: the other lists, and when the next messages are due.

        `book` gives the command that books what has come from a queue, and that replies with nothing if that is not to be,
        and the number of its hand-out.
        """
        self.queues = tuple(move.queue for move in moves)
        self._link = link
        self._moves = moves
        self._tracked = tracked
        self._book = book
        self._life = life
        self._lines: list[Line] = []
        self._tracker: Tracker | None = None
        self._can_track = True
        self._bell = Bell()
        self._stopped = False
        self._looked = self._due = self._waited = 0.0
        self._waits = 1
        self.is_quiet = False
        """True if the last look was vain, and nothing has been heard of since but what is booked, and was the last."""
        self.catch = Catch()
        """What the last wait has brought, until it is `taken`."""

    def taken(self) -> None:
        """Note that the catch was handed on: whatever fails from now on, it must not be given back."""
        self.catch = Catch()

    def asked(self) -> list[int]:
        """The hand-outs of the last wait, which are in vain from now on, as is what it has booked."""
        numbers = self.catch.handouts
        self.taken()
        return numbers

    def _booking(self, queue: str) -> Command:
        handout, command = self._book(queue)
        self.catch.handouts.append(handout)
        return command

    def will_look(self) -> None:
        """Note that the queues are looked at now."""
        self._looked = clock.monotonic()
        self.is_quiet = False

    def looked(self, soon: float | None, waits: int) -> None:
        """Note that the look was vain, that the next message known is due in `soon` seconds, and how many wait for it."""
        self._waits = waits
        self._due = float("inf") if soon is None else self._soon(soon)
        self.is_quiet = True

    def _soon(self, seconds: float) -> float:
        """A moment soon after so many seconds (monotonic), another for each who waits."""
        spread = min(SPREAD * (self._waits - 1), WIDEST)
        return clock.monotonic() + max(seconds, 0.0) + random.uniform(0.0, spread)

    def wait(self, seconds: float) -> bool:
        """True if it is time to look; False after `seconds`, or earlier."""
        now = clock.monotonic()
        if now - self._waited > UNUSED:
            self.close()
        self._waited = now
        seconds = min(seconds, LONGEST)
        is_over = seconds <= 0 or now + LONGEST + SLACK > self._looked + self._life
        if is_over or self._stopped or not self._is_open() or self._has_more():
            self.is_quiet = False
            return True
        self.catch = Catch()
        patience = f"{max(seconds, 0.001):.3f}"
        for (queue, source, intake), wire, _ in self._lines:
            wire.say(("BLMOVE", source, intake, "RIGHT", "LEFT", patience), spelled(self._booking(queue)))
        found = self._listen(seconds)
        self.is_quiet = self.catch.is_all and self._can_track
        return found or not self._can_track

    def _has_more(self) -> bool:
        """True if there is something to take that no wait would bring; asks only if that may be."""
        is_due = clock.monotonic() >= self._due
        if self._tracker is None or (self._tracker.is_armed and not is_due):
            return is_due
        soon = self._tracker.look()
        self._due = self._soon(soon)
        return soon <= 0

    def _is_open(self) -> bool:
        """False if it had to be opened: something may have come before."""
        if self._lines:
            return True
        for move in self._moves:
            wire = self._link.open()
            wire.within(LONGEST + SLACK + 2.0)
            try:
                wire.say(("CLIENT", "ID"))
                self._lines.append(Line(move, wire, wire.hear()))
            except BrokerError:
                wire.close()
                raise
        if self._can_track:
            try:
                self._tracker = Tracker(self._link, *self._tracked)
            except BrokerRefused:  # a server, or a proxy, that cannot: such messages are then found when a wait ends
                self._can_track = False
        return False

    def _listen(self, seconds: float) -> bool:
        """Wait for the first of all; then for the others, which are told to end."""
        end = clock.monotonic() + seconds + SLACK
        poll = select.poll()
        waiting = {line.wire.fileno(): line for line in self._lines}
        ear = self._tracker.ear.fileno() if self._tracker else -1
        for number in (*waiting, self._bell.fileno(), *([ear] if ear >= 0 else [])):
            poll.register(number, select.POLLIN)
        moved = told = False
        while waiting and not moved and not told:
            heard = poll.poll(max(min(end, self._due) - clock.monotonic(), 0) * 1000)
            if not heard and clock.monotonic() >= end:
                raise BrokerDown(f"{self._link.server.url} does not answer")
            for number, _ in heard:
                if number in waiting:
                    poll.unregister(number)
                    moved |= self._hear(waiting.pop(number))
                elif number == ear and self._tracker:
                    self._tracker.read()
                    self._due = min(self._due, self._soon(0.0))
                else:
                    told = True
            told |= clock.monotonic() >= self._due and self._has_more()
        self.catch.is_all &= not told
        return self._end(list(waiting.values())) or moved or told

    def _end(self, waiting: Sequence[Line]) -> bool:
        """End the waits that are still on; True if one of them had found something."""
        if not waiting:
            return False
        self._link.ask_all([("CLIENT", "UNBLOCK", line.number) for line in waiting])
        found = [self._hear(line) for line in waiting]
        return any(found)

    def _hear(self, line: Line) -> bool:
        """The end of a wait: True if it has found something, which most likely is booked now."""
        queue, wire = line.move.queue, line.wire
        moved = wire.hear() is not None
        try:
            booked = wire.hear()
        except BrokerRefused as error:
            if not is_no_script(error):
                raise
            command = self._booking(queue)
            booked = self._link.run(command) if moved else None
        if booked:
            self.catch.booked.append((queue, booked))
        self.catch.is_all &= not (booked[-1] if booked else moved)
        return moved

    def stop(self) -> None:
        """End a wait that is on, and all that come."""
        self._stopped = True
        self._bell.ring()

    def close(self) -> None:
        """Close the connections; the next wait opens new ones."""
        self.is_quiet = False
        for line in self._lines:
            line.wire.close()
        self._lines = []
        if self._tracker:
            self._tracker.close()
            self._tracker = None
