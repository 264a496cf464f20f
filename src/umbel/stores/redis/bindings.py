"""Kombu's bindings: which queues Celery's processes have declared, and where they would send what is published."""

from __future__ import annotations

import re
from collections.abc import Iterable

from umbel.stores.redis.link import Link

AT_ONCE = 10_000
"""Keys in one step of a walk through all keys of the database."""


class Bindings:
    """The sets `_kombu.binding.<exchange>`, each with the members "<routing key>SEP<pattern>SEP<queue>"."""

    def __init__(self, link: Link, prefix: str, sep: str):
        self._link = link
        self._start = f"{prefix}_kombu.binding."
        self._sep = sep

    def queue(self, exchange: str, routing_key: str) -> str:
        """Where kombu would send it: the queue of that name, or the one that is bound to the exchange by this key."""
        if not exchange:
            return routing_key
        for key, queue in sorted(self._members(self._link.ask("SMEMBERS", f"{self._start}{exchange}"))):
            if key == routing_key:
                return queue
        return routing_key or exchange

    def queues(self) -> set[str]:
        """All that were ever declared, but for those of remote control and events. Walks through all keys of the database."""
        keys = self._keys()
        replies = self._link.ask_all([("SMEMBERS", key) for key in keys]) if keys else []
        return {queue for members in replies for _, queue in self._members(members)}

    def _keys(self) -> set[str]:
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._start) + "*"
        found: set[str] = set()
        cursor = b""
        while cursor != b"0":
            cursor, keys = self._link.ask("SCAN", cursor or b"0", "MATCH", pattern, "COUNT", AT_ONCE, "TYPE", "set")
            found.update(key.decode() for key in keys)
        return {key for key in found if not key.endswith(".pidbox") and not key.startswith(f"{self._start}celeryev")}

    def _members(self, members: Iterable[bytes]) -> Iterable[tuple[str, str]]:
        for member in members:
            key, _, rest = member.decode().partition(self._sep)
            yield key, rest.partition(self._sep)[2]
