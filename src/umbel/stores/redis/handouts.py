"""The numbers of hand-outs, and which of them went out in replies that never came.

What was booked under such a number is held by an owner that does not know of it. So the owner tells the server, which gives it
back; and should the request arrive only after that, from somewhere in the network, it gets nothing.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterator


class Handouts:
    """Numbers the hand-outs of one owner. Any thread may use it."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._unheard: set[int] = set()

    @contextlib.contextmanager
    def asking(self) -> Iterator[int]:
        """The number for a request; if the block raises, nobody has heard the reply."""
        number = self.new()
        try:
            yield number
        except BaseException:
            self.miss([number])
            raise

    def new(self) -> int:
        """The next number."""
        return next(self._numbers)

    def miss(self, numbers: Collection[int]) -> None:
        """Note that the replies to these will not be heard."""
        self._unheard.update(numbers)

    @contextlib.contextmanager
    def telling(self) -> Iterator[str]:
        """Those that were not heard, for a request that tells the server; once the block has ended well, it knows."""
        told = frozenset(self._unheard)
        yield " ".join(map(str, sorted(told)))
        self._unheard -= told
