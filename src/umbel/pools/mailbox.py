"""The way out of threads: what they tell, brought to the event loop in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from umbel.execution.outcome import Begun, Outcome

News = tuple[Begun | Outcome, float]
"""What happened, and the seconds it took (0 for `Begun`)."""


class Mailbox:
    """Any thread puts; `read` is called in the loop's thread with all that came, once for many."""

    def __init__(self, loop: asyncio.AbstractEventLoop, read: Callable[[list[News]], None]):
        self._loop = loop
        self._read = read
        self._news: deque[News] = deque()
        self._rung = False

    def begun(self, begun: Begun) -> None:
        """Tell that a job runs."""
        self._put((begun, 0.0))

    def ended(self, outcome: Outcome, spent: float) -> None:
        """Tell how a job ended."""
        self._put((outcome, spent))

    def _put(self, news: News) -> None:
        self._news.append(news)
        if not self._rung:  # two threads may both ring, which only costs a turn
            self._rung = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
                self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        self._rung = False  # first, so that what comes from now on rings again
        news = [self._news.popleft() for _ in range(len(self._news))]
        if news:
            self._read(news)
