"""Kombu's bindings: which queues Celery's processes have declared, and where they would send what is published."""

from __future__ import annotations

import re
from collections.abc import Iterable

from umbel import clock
from umbel.stores.redis.link import Link

AT_ONCE = 10_000
"""Keys in one step of a walk through all keys of the database."""
FRESH = 60.0
"""Seconds after which a walk of several steps is worth its cost again: about half a second with a million keys."""


class Bindings:
    """The sets `_kombu.binding.<exchange>`, each with the members "<routing key>SEP<pattern>SEP<queue>"."""

    def __init__(self, link: Link, prefix: str, sep: str):
        self._link = link
        self._start = f"{prefix}_kombu.binding."
        self._sep = sep
        self._keys: set[str] = set()
        self._walk_again = 0.0

    def route(self, exchange: str, routing_key: str) -> list[str]:
        """Where kombu would send it: to the queue of that name, or to those bound to the exchange by this key or a pattern.

        What kombu would drop, as nothing is bound so, goes to a queue that bears the name of the key.
        """
        if not exchange:
            return [routing_key]
        bound = self._members(self._link.ask("SMEMBERS", f"{self._start}{exchange}"))
        found = {queue for key, pattern, queue in bound if key == routing_key or (pattern and _fits(pattern, routing_key))}
        return sorted(found) or [routing_key or exchange]

    def queues(self) -> set[str]:
        """All that were ever declared, but for those of remote control and events.

        Only a walk through all keys of the database finds them; what a long one has found is good for `FRESH` seconds.
        """
        if clock.monotonic() >= self._walk_again:
            steps, keys = self._walk()
            self._keys = keys
            self._walk_again = clock.monotonic() + (FRESH if steps > 1 else 0.0)
        replies = self._link.ask_all([("SMEMBERS", key) for key in self._keys]) if self._keys else []
        return {queue for members in replies for _, _, queue in self._members(members)}

    def _walk(self) -> tuple[int, set[str]]:
        """How many steps it took, and the keys of the bindings."""
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._start) + "*"
        found: set[str] = set()
        cursor, steps = b"", 0
        while cursor != b"0":
            cursor, keys = self._link.ask("SCAN", cursor or b"0", "MATCH", pattern, "COUNT", AT_ONCE, "TYPE", "set")
            found.update(key.decode() for key in keys)
            steps += 1
        return steps, {key for key in found if not key.endswith(".pidbox") and not key.startswith(f"{self._start}celeryev")}

    def _members(self, members: Iterable[bytes]) -> Iterable[tuple[str, str, str]]:
        """Routing key, pattern and queue of each."""
        for member in members:
            key, _, rest = member.decode().partition(self._sep)
            pattern, _, queue = rest.partition(self._sep)
            yield key, pattern, queue


def _fits(pattern: str, routing_key: str) -> bool:
    """True if kombu's pattern, a regular expression, covers the key."""
    try:
        return re.match(pattern, routing_key) is not None
    except re.error:
        return False
