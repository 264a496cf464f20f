"""What dead workers of Celery's held: given back by kombu's rules, under kombu's mutex, so that both may look at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from umbel import clock
from umbel.stores.redis.bindings import Bindings
from umbel.stores.redis.link import Link
from umbel.stores.redis.script import Script

AT_ONCE = 1000
MUTEX = 300_000
"""Milliseconds after which the mutex of one who died in the middle is free."""
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Leftovers:
    """The messages in `unacked` that nobody has acknowledged for `timeout` seconds."""

    def __init__(self, link: Link, bindings: Bindings, prefix: str, names: Sequence[str], timeout: float):
        """`names`: kombu's hash, its index by time, and its mutex."""
        self._link = link
        self._bindings = bindings
        self._hash, self._index, self._mutex = (f"{prefix}{name}" for name in names)
        self._timeout = timeout

    def restore(self, script: Script) -> int:
        """Give back what is stale, at most `AT_ONCE`; tells how many there were."""
        token = uuid.uuid4().hex
        if not self._link.ask("SET", self._mutex, token, "NX", "PX", MUTEX):
            return 0
        try:
            return sum(self._restore(script, tag) for tag in self._stale())
        finally:
            self._link.ask("EVAL", _UNLOCK, 1, self._mutex, token)

    def _stale(self) -> list[bytes]:
        until = clock.now() - self._timeout
        tags: list[bytes] = self._link.ask("ZRANGEBYSCORE", self._index, "-inf", repr(until), "LIMIT", 0, AT_ONCE)
        return tags

    def _restore(self, script: Script, tag: bytes) -> int:
        packed = self._link.ask("HGET", self._hash, tag)
        try:
            envelope, exchange, routing_key = json.loads(packed or b"")
            envelope["headers"]["redelivered"] = True
            envelope["properties"]["delivery_info"]["redelivered"] = True
        except (ValueError, TypeError, KeyError):
            return 0  # nothing that kombu could read either
        done: int = self._link.run(script, tag, self._bindings.queue(exchange, routing_key), json.dumps(envelope))
        return done
