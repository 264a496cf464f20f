"""The jobs that this worker has in hand."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from umbel.worker.ticket import Ticket


class Book(dict[int, Ticket]):
    """Tickets by the number of their job, from submission to outcome. Belongs to the event loop's thread.

    Whoever takes tickets out sets `changed`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.totals: defaultdict[str, int] = defaultdict(int)
        """How many runs of each task have ended."""
        self.changed = asyncio.Event()

    async def shorter(self) -> None:
        """Wait until a ticket is taken out."""
        self.changed.clear()
        await self.changed.wait()

    async def empty(self) -> None:
        """Wait until nothing is in hand."""
        while self:
            await self.shorter()
