"""Tasks that are not to run: kept on the server, and mirrored by each owner, so that handing out asks nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from umbel.stores.broker import Delivery, Revocation
from umbel.stores.redis.link import Link
from umbel.stores.redis.mirror import Mirror
from umbel.stores.redis.scripts import Scripts

AT_ONCE = 1000
"""Revocations that one script takes."""
PAGE = 5000
"""Revocations that one script tells."""


class Revoked:
    """What one owner knows of the revoked tasks. Any thread may use it."""

    def __init__(self, link: Link, scripts: Scripts):
        self._link = link
        self._scripts = scripts
        self._mirror = Mirror()

    def mark(self, deliveries: list[Delivery], mark: bytes | None) -> list[Delivery]:
        """The same; revoked are those that the mirror knows at this mark, if the server still does."""
        revoked = self._mirror.at(int(mark or 0), self._behind)
        if revoked:
            self.look_up([each for each in deliveries if each.envelope.id in revoked])
        return deliveries

    def look_up(self, deliveries: Sequence[Delivery]) -> None:
        """Ask the server which of these are revoked."""
        ids = [each.envelope.id for each in deliveries]
        for index in self._link.run(self._scripts.revoked(ids)) if ids else ():
            deliveries[index].revoked = True

    def keep(self, revocations: Sequence[Revocation], seconds: float) -> None:
        """Keep these for so long."""
        told = [text for each in revocations for text in (each.id, each.signal or "")]
        step = 2 * AT_ONCE
        if told:
            commands = [self._scripts.revoke(seconds, told[start : start + step]) for start in range(0, len(told), step)]
            self._link.ask_all(commands)

    def behind(self, after: int) -> tuple[int, list[Revocation]]:
        """The mark to ask from next, and those made behind the mark `after`."""
        mark, _, found = self._behind(after)
        return mark, found

    def _behind(self, after: int) -> tuple[int, int, list[Revocation]]:
        """The same, and how many are kept in all."""
        found: list[Revocation] = []
        while True:
            mark, more, count, told = self._link.run(self._scripts.revocations(after, PAGE))
            after = int(mark)
            for id, signal in zip(told[::2], told[1::2], strict=True):
                found.append(Revocation(id.decode(), signal.decode() or None))
            if not more:
                return after, count, found
