"""What dead workers of Celery's held: given back by kombu's rules, under kombu's mutex, so that both may look at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from umbel import guise
from umbel.stores.redis import element
from umbel.stores.redis.bindings import Bindings
from umbel.stores.redis.link import Link
from umbel.stores.redis.scripts import Scripts

log = guise.logger("umbel.stores")

AT_ONCE = 1000
MUTEX = 300_000
"""Milliseconds after which the mutex of one who died in the middle is free."""
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Leftovers:
    """The messages in `unacked` that nobody has acknowledged for `timeout` seconds."""

    def __init__(
        self,
        link: Link,
        bindings: Bindings,
        scripts: Scripts,
        names: Sequence[str],
        *,
        prefix: str,
        steps: Sequence[int],
        timeout: float,
    ):
        """`names`: kombu's hash, its index by time, and its mutex; `steps`: its priorities."""
        self._link = link
        self._bindings = bindings
        self._scripts = scripts
        self._hash, self._index, self._mutex = (f"{prefix}{name}" for name in names)
        self._unreadable = f"{names[0]}.unreadable"
        self._steps = steps
        self._timeout = timeout

    def restore(self) -> int:
        """Give back what is stale, at most `AT_ONCE`; tells how many there were."""
        token = uuid.uuid4().hex
        if not self._link.ask("SET", self._mutex, token, "NX", "PX", MUTEX):
            return 0
        try:
            return sum(self._restore(tag) for tag in self._stale())
        finally:
            self._link.ask("EVAL", _UNLOCK, 1, self._mutex, token)

    def _stale(self) -> list[bytes]:
        seconds, _ = self._link.ask("TIME")
        until = int(seconds) - self._timeout
        tags: list[bytes] = self._link.ask("ZRANGEBYSCORE", self._index, "-inf", repr(until), "LIMIT", 0, AT_ONCE)
        return tags

    def _restore(self, tag: bytes) -> int:
        """Give it back; what nobody can read is buried, or it would be looked at for ever, in place of others."""
        packed = self._link.ask("HGET", self._hash, tag)
        if packed is None:
            return int(self._link.run(self._scripts.restore(tag, "", "", ())))
        try:
            envelope, exchange, routing_key = json.loads(packed)
            if not isinstance(exchange, str) or not isinstance(routing_key, str) or not exchange + routing_key:
                raise ValueError("it names no queue")
            envelope["headers"]["redelivered"] = True
            envelope["properties"]["delivery_info"]["redelivered"] = True
            step = element.celery_step(envelope["properties"].get("priority"), self._steps)
            queues = self._bindings.route(exchange, routing_key)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.error("What a worker of Celery's has left in %r is buried: %s", self._hash, error)
            reason = f"no message: {error!r}; it was in Celery's {self._hash!r}, where a worker had held it that died"
            return int(self._link.run(self._scripts.restore(tag, packed, reason, (self._unreadable, element.PLAIN))))
        places = [part for queue in queues for part in (queue, step)]
        return int(self._link.run(self._scripts.restore(tag, json.dumps(envelope), "", places)))
