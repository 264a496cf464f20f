"""An owner that waits on many queues: called to one of them (see `summons`), and a lookout for others if that falls to it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from threading import Lock

from umbel import clock
from umbel.errors import BrokerError
from umbel.stores.broker import Delivery
from umbel.stores.redis.hands import Hands
from umbel.stores.redis.link import Link
from umbel.stores.redis.lookout import CALL, POST, Lookout
from umbel.stores.redis.names import Names
from umbel.stores.redis.scripts import Scripts
from umbel.stores.redis.summons import Summons
from umbel.stores.redis.waiters import Waiters

AGAIN, EVERYTHING = 3.0, 300.0
"""Seconds after which one who may be called looks for whether somebody looks out; and after which it looks at all by itself, and
tells again that they are awaited."""


class Calls:
    """The summonses of one owner, and its lookout. Any thread may use it."""

    def __init__(self, link: Link, scripts: Scripts, names: Names, hands: Hands):
        self._link = link
        self._scripts = scripts
        self._names = names
        self._hands = hands
        self._lock = Lock()
        self._posts_seen = float("-inf")
        """When it was last looked for whether somebody looks out."""
        self.lookout: Lookout | None = None
        self.are_refused = False
        """True once the server, or a proxy before it, does not know the commands."""
        self.waiters = Waiters[Summons]()

    def reserve(self, queues: tuple[str, ...], limit: int, until: float) -> list[Delivery]:
        """What there is, as soon as there is anything; nothing at `until` (monotonic), or once all are stopped."""
        mine = self.waiters.call_up(queues, lambda _: Summons(self._link, queues, self._names.call))
        try:
            while not self.waiters.are_stopped:
                if found := self._look(mine, self._due(mine), limit):
                    return found
                left = until - clock.monotonic()
                if left <= 0:
                    break
                mine.hot = mine.wait(left)
        except BaseException:
            mine.close()
            self._link.close()  # most likely the other connections are as dead
            raise
        finally:
            if not self.waiters.let_rest(mine):
                self._pass_on(mine.hot)
        return []

    def _pass_on(self, queues: Sequence[str]) -> None:
        """Let somebody else be called to these."""
        keys = [self._names.call(queue) for queue in queues]
        with contextlib.suppress(BrokerError):  # a lookout finds out
            self._link.ask_all([each for key in keys for each in (("ZADD", key, 0, ""), ("EXPIRE", key, CALL))])

    def _due(self, mine: Summons) -> Sequence[str]:
        """The queues that are to be looked at now."""
        now = clock.monotonic()
        is_alone = now - self._posts_seen > AGAIN and self._is_alone(now)
        if is_alone or now - mine.looked > EVERYTHING * random.uniform(0.8, 1.2):
            mine.looked = now
            self._join(mine.queues)
            return mine.queues
        if mine.hot and (asked := mine.ask()):
            *_, reply = self._link.ask_all(asked)
            mine.note_hot({*mine.hot, *mine.told(reply)})
        return mine.hot

    def _look(self, mine: Summons, queues: Sequence[str], limit: int) -> list[Delivery]:
        """What is there in these queues."""
        mine.hot = []
        if not queues:
            return []
        found, _, more = self._hands.take(queues, limit, calls=True)
        mine.note_hot({*(each.queue for each in found), *(queues[index] for index in more)})
        return found

    def _is_alone(self, now: float) -> bool:
        """True if nobody looks out, or one more should and may be this one."""
        posts = self._link.ask("EXISTS", *self._names.lookouts)
        self._posts_seen = now
        return not posts or (posts < 2 and not self._is_out())

    def _is_out(self) -> bool:
        return self.lookout is not None and self.lookout.is_alive()

    def _join(self, queues: Sequence[str]) -> None:
        """Tell that these are awaited; and look out, if that falls to this owner."""
        owner = self._hands.owner
        number = self._link.run(self._scripts.wait_for(owner, int(POST * 1000), queues))
        self._posts_seen = clock.monotonic()
        with self._lock:
            if number and not self._is_out() and not self.waiters.are_stopped:
                self.lookout = Lookout(self._link, number, owner, self._scripts, self._names)
                self.lookout.start()

    def stop(self) -> None:
        """End all waits, and the lookout."""
        self.waiters.stop()
        if self.lookout:
            self.lookout.stop()
            self.lookout.join(0.5)
