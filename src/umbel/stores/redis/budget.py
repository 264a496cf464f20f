"""How many bytes go in one exchange with a server, by how long the last ones took."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

from umbel.errors import BrokerDown
from umbel.stores.redis.link import is_slow
from umbel.stores.slices import MOST_BYTES, slices

FIRST_BYTES, LEAST_BYTES = 256 << 10, 64 << 10


class Budget:
    """Of the first long batch the parts begin small and double; what took too long is halved, and from then on they grow slowly.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._bytes = MOST_BYTES
        self._growth = 2.0
        self._is_new = True

    def carry(self, sizes: Sequence[int], exchange: Callable[[slice], object], most: int = sys.maxsize) -> None:
        """Bring things of these sizes over, in order, in as few exchanges as they fit into.

        BrokerDown tells how many were accepted before: who goes on behind them gets further each time.
        """
        whole = sum(sizes) <= self._bytes and len(sizes) <= most
        if self._is_new and not whole:
            self._bytes, self._is_new = FIRST_BYTES, False
        parts: Iterable[slice] = [slice(0, len(sizes))] if whole else slices(sizes, self._room, most)
        for part in parts:
            try:
                exchange(part)
            except BrokerDown as error:
                error.accepted = part.start
                if is_slow(error):
                    self._shrink(sum(sizes[part]))
                raise
            if not whole:
                self._bytes = min(int(self._bytes * self._growth), MOST_BYTES)

    def _room(self) -> int:
        return self._bytes

    def _shrink(self, size: int) -> None:
        """The next is half of this one, if it was long."""
        if size > LEAST_BYTES:
            self._bytes = max(min(size, self._bytes) // 2, LEAST_BYTES)
            self._growth, self._is_new = 9 / 8, False  # so that half a dozen pass before one is too long again
