"""Stamps (headers that a canvas gives its tasks) whose tasks are not to run."""

from __future__ import annotations

import json
from typing import Any

from umbel.client.remote.control import STAMP
from umbel.errors import DecodeError
from umbel.stores.broker import Delivery, Revocation
from umbel.wire import protocol


class Stamps(dict[str, set[str]]):
    """The values of each stamp whose tasks are revoked. Belongs to the event loop's thread."""

    def heed(self, revocation: Revocation) -> bool:
        """Take in what the store remembers; False if it is not of a stamp."""
        found = stamp_of(revocation)
        if found is None:
            return False
        name, value = found
        self.setdefault(name, set()).add(value)
        return True

    def are_on(self, delivery: Delivery, accept: frozenset[str]) -> bool:
        """True if the message bears any of these."""
        try:
            stamps = protocol.headers(delivery.envelope, accept).stamps
        except DecodeError:  # whoever judges it will see
            return False
        return bool(stamps) and any(self._has(name, value) for name, value in stamps.items())

    def _has(self, name: str, value: Any) -> bool:
        wanted = self.get(name)
        if not wanted:
            return False
        return any(str(each) in wanted for each in (value if isinstance(value, list | tuple) else (value,)))


def stamp_of(revocation: Revocation) -> tuple[str, str] | None:
    """The name and the value of the stamp that a revocation is of; None if it is of a task."""
    if not revocation.id.startswith(STAMP):
        return None
    try:
        name, value = json.loads(revocation.id.removeprefix(STAMP))
    except ValueError:
        return None
    return str(name), str(value)
