"""The jobs that this worker has in hand, by number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from umbel.worker.ticket import Ticket


class Book:
    """Tickets by the number of their job, from submission to outcome. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._tickets: dict[int, Ticket] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._tickets.values())

    def __getitem__(self, number: int) -> Ticket:
        return self._tickets[number]

    def enter(self, number: int, ticket: Ticket) -> None:
        """Write down a job that goes to the pool."""
        self._tickets[number] = ticket

    def strike(self, number: int) -> Ticket:
        """Cross out a job, and give its ticket; KeyError if it is not here."""
        ticket = self._tickets.pop(number)
        self._changed.set()
        return ticket

    async def changed(self) -> None:
        """Wait until a job is crossed out."""
        self._changed.clear()
        await self._changed.wait()

    async def empty(self) -> None:
        """Wait until nothing is in hand."""
        while self._tickets:
            await self.changed()
