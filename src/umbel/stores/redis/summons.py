"""Waiting on many queues with one connection: to be called to one of them.

Who waits blocks on the calls of all its queues; there is at most one for each, made by scripts and by lookouts (see `lookout`).
The server gives each call to one who waits, the one that waits longest; who has it looks at that queue alone, and calls somebody
else to what it leaves there. A call that nobody takes stays, so none is missed between two waits.
"""

from __future__ import annotations

import random
import select
from collections.abc import Callable, Collection, Sequence

from umbel import clock
from umbel.errors import BrokerDown
from umbel.stores.redis.bell import Bell
from umbel.stores.redis.link import Command, Link, Wire

SHORTEST, LONGEST = 2.0, 4.0
"""Seconds of one wait in the server; who waits does something else as well now and then, all at different times."""
SLACK = 2.0
"""How much later than asked for the server may end a wait before it is given up for dead."""
BETWEEN = 0.005
"""Seconds between two questions for calls of one who has enough to do."""
UNUSED = 60.0
"""Seconds after which a connection that did not wait is opened anew: the server may have closed it."""


class Summons:
    """Waits to be called to some queues, for one owner. Belongs to one thread at a time; `stop` may come from any."""

    def __init__(self, link: Link, queues: tuple[str, ...], key: Callable[[str], str]):
        """`key` gives the name of a queue's call."""
        self.queues = queues
        self.hot: list[str] = []
        """Those that had something at the last look, in their order: they are looked at without a call, and take turns."""
        self.looked = float("-inf")
        """When all were looked at for the last time."""
        self._link = link
        self._of_key = {key(queue).encode(): queue for queue in queues}
        self._keys = list(self._of_key)
        self._place = {queue: place for place, queue in enumerate(queues)}
        self._wire: Wire | None = None
        self._number = 0
        self._waited = self._asked = float("-inf")
        self._bell = Bell()
        self._stopped = False

    def note_hot(self, queues: Collection[str]) -> None:
        """Note which have something."""
        self.hot = sorted(queues, key=self._place.__getitem__)

    def ask(self) -> Sequence[Command]:
        """The commands that tell of a call that is there, and take it: three replies, of which `told` knows the last."""
        now = clock.monotonic()
        if now - self._asked < BETWEEN:
            return ()
        self._asked = now
        return ("MULTI",), ("BZPOPMIN", *self._turned(), "0.001"), ("EXEC",)

    def told(self, reply: Sequence[Sequence[bytes] | None] | None) -> list[str]:
        """The queue of the call that was there, if one was."""
        return [self._of_key[found[0]] for found in reply or () if found]

    def _turned(self) -> list[bytes]:
        """The first with a call is served: so each is first now and then."""
        self._keys.append(self._keys.pop(0))
        return self._keys

    def wait(self, seconds: float) -> list[str]:
        """The queue that it is called to; nothing after so many seconds, or earlier."""
        now = clock.monotonic()
        if now - self._waited > UNUSED:
            self.close()
        self._waited = now
        seconds = min(seconds, random.uniform(SHORTEST, LONGEST))
        if self._stopped or seconds <= 0:
            return []
        wire = self._wire or self._open()
        wire.say(("BZPOPMIN", *self._turned(), f"{max(seconds, 0.001):.3f}"))
        poll = select.poll()
        poll.register(wire.fileno(), select.POLLIN)
        poll.register(self._bell.fileno(), select.POLLIN)
        heard = [number for number, _ in poll.poll((seconds + SLACK) * 1000)]
        if not heard:
            raise BrokerDown(f"{self._link.server.url} does not answer")
        if wire.fileno() not in heard:
            self._link.ask("CLIENT", "UNBLOCK", self._number)
        found = self.told([wire.hear()])
        self._asked = clock.monotonic()
        return found

    def _open(self) -> Wire:
        self._wire = wire = self._link.open()
        wire.within(LONGEST + SLACK)
        wire.say(("CLIENT", "ID"))
        self._number = wire.hear()
        return wire

    def stop(self) -> None:
        """End a wait that is on, and all that come."""
        self._stopped = True
        self._bell.ring()

    def close(self) -> None:
        """Close the connection; the next wait opens a new one."""
        wire, self._wire = self._wire, None
        if wire:
            wire.close()
