"""The way out of threads: what they tell, brought to the event loop in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from umbel.execution.outcome import Begun, Outcome


class Mailbox:
    """Any thread puts; `read` is called in the loop's thread, once for many, and takes all that is in `news`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, read: Callable[[], None]):
        self.news: deque[tuple[Begun | Outcome, float]] = deque()
        """What happened, and the seconds it took (0 for `Begun`)."""
        self.rung = False
        """True if `read` is on its way. It sets this to False before it looks, so that what comes from then on rings again."""
        self._loop = loop
        self._read = read

    def put(self, news: Begun | Outcome, spent: float = 0.0) -> None:
        """Tell that a job runs, or how it ended."""
        self.news.append((news, spent))
        if not self.rung:  # two threads may both ring, which only costs a turn
            self.rung = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
                self._loop.call_soon_threadsafe(self._read)
