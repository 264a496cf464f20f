"""Names of keys that Python asks for without a script; `keys.lua` says what is kept there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from umbel.stores.redis.element import PLAIN


class Keys(NamedTuple):
    """Of one queue."""

    lists: Sequence[str]
    soonest: str
    call: str


class Names:
    """The keys of one broker."""

    def __init__(self, prefix: str, sep: str, order: Sequence[str]):
        """`order`: the steps of a queue, the most urgent first."""
        self._prefix = prefix
        self._sep = sep
        self._order = order
        self.awaited = f"{prefix}umbel.awaited"
        self.lookouts = [f"{prefix}umbel.lookout.{number}" for number in (1, 2)]

    def list(self, queue: str, step: str) -> str:
        """Where messages of this step are ready."""
        return f"{self._prefix}{queue}" if step == PLAIN else f"{self._prefix}{queue}{self._sep}{step}"

    def unusual(self, queue: str) -> Sequence[str]:
        """The lists of all steps but the plain one."""
        return [self.list(queue, step) for step in self._order if step != PLAIN]

    def of(self, queue: str) -> Keys:
        """What tells whether there is anything, and calls somebody to it."""
        return Keys([self.list(queue, step) for step in self._order], self.soonest(queue), self.call(queue))

    def soonest(self, queue: str) -> str:
        """When the next message is due."""
        return f"{self._prefix}umbel.soonest.{queue}"

    def call(self, queue: str) -> str:
        """Whether somebody is to look."""
        return f"{self._prefix}umbel.call.{queue}"

    def later(self, queue: str) -> str:
        """What is not due."""
        return f"{self._prefix}umbel.later.{queue}"

    def intake(self, owner: str, queue: str) -> str:
        """What a wait has moved."""
        return f"{self._prefix}umbel.intake.{owner} {queue}"
