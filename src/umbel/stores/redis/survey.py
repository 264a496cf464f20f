"""How full queues are, without holding up the server: what owners hold is counted by name, and there may be much of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from umbel.stores.redis.link import Link
from umbel.stores.redis.scripts import Scripts
from umbel.stores.slices import slices

AT_ONCE = 5000
"""Deliveries that are counted by one script, some 10 ms of the server; up to here all is from one moment."""


class Survey:
    """Looks at the queues of one server. Any thread may use it."""

    def __init__(self, link: Link, scripts: Scripts, prefix: str):
        self._link = link
        self._scripts = scripts
        self._prefix = prefix

    def rows(self, *queues: str) -> list[list[Any]]:
        """The rows of these, as `survey.lua` has them; of all that hold anything if none is named."""
        is_whole, *rows = self._link.run(self._scripts.survey(AT_ONCE, queues))
        if is_whole:
            return list(rows)
        held = self._held()
        for row in rows:
            row[2] = held.pop(row[0], 0)
        if not queues:
            rows += [[queue, 0, count, 0, 0, [], b"0"] for queue, count in held.items()]
        return list(rows)

    def _held(self) -> Counter[bytes]:
        """How much of each queue is held, counted a few owners at a time."""
        owners = [owner.decode() for owner in self._link.ask("ZRANGE", f"{self._prefix}umbel.owners", 0, -1)]
        sizes = self._link.ask_all([("HLEN", f"{self._prefix}umbel.held.{owner}") for owner in owners]) if owners else []
        held = Counter[bytes]()
        for part in slices(sizes, AT_ONCE):
            told = self._link.run(self._scripts.holding(owners[part]))
            held.update(dict(zip(told[::2], told[1::2], strict=True)))
        return held
