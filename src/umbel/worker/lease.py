"""Keeps what this worker holds its own, and takes over what dead workers held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from umbel import clock, guise
from umbel.errors import BrokerError
from umbel.stores.broker import Broker, Delivery

log = guise.logger("umbel.worker.lease")


PAUSE = 1.0
"""Seconds between attempts while the store is away."""


class Lease:
    """Renews this owner's lease three times within its length, and recovers after each renewal.

    It beats on the loop that fetches and settles: a loop that hangs loses its lease, as it should. After a time in which it could
    not renew, the others may not have been able to either: before it takes them for dead, they get the time to renew.
    """

    def __init__(
        self,
        broker: Broker,
        seconds: float,
        *,
        stranded: Callable[[Sequence[Delivery]], None],
        lost: Callable[[], None],
    ):
        """`stranded` settles what dead workers had begun; `lost` stops what this one holds and others have now."""
        self._broker = broker
        self._seconds = seconds
        self._stranded = stranded
        self._lost = lost
        self._thread = ThreadPoolExecutor(1, "umbel-lease")
        self._renewed = self._steady = clock.monotonic()

    async def run(self) -> None:
        """Renew and recover, for ever; while the store is away, keep trying."""
        is_away = False
        while True:
            try:
                await self._beat()
            except BrokerError as error:
                if not is_away:
                    log.warning("Cannot renew the lease: %s. Trying again until it works", error)
                is_away = True
                await asyncio.sleep(min(self._seconds / 3, PAUSE))
            else:
                is_away = False
                await asyncio.sleep(self._seconds / 3)

    async def _beat(self) -> None:
        await self._renew()
        now = clock.monotonic()
        if now - self._renewed > self._seconds * 2 / 3:
            self._steady = now
        self._renewed = now
        if now - self._steady >= self._seconds / 3:
            await self._recover()

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._thread, self._broker.renew, self._seconds):
            log.warning(
                "This worker was taken for dead: its lease of %gs ran out, others have what it held. "
                "It goes on with new work; what it still runs of the old is void",
                self._seconds,
            )
            self._lost()

    async def _recover(self) -> None:
        loop = asyncio.get_running_loop()
        recovered = await loop.run_in_executor(self._thread, self._broker.recover)
        if recovered.returned:
            log.warning("Gave back %d tasks of workers that died", recovered.returned)
        if recovered.stranded:
            self._stranded(recovered.stranded)
