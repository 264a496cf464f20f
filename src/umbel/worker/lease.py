"""Keeps what this worker holds its own, and takes over what dead workers held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from umbel import clock, guise, shown
from umbel.errors import BrokerError
from umbel.stores.broker import Broker, Delivery

log = guise.logger("umbel.worker.lease")


SWEEP = 60.0
"""Seconds between two looks for what is dead for too long."""
PAUSE = 1.0
"""Seconds between attempts while the store is away."""


class Lease:
    """Renews this owner's lease three times within its length, and recovers after each renewal.

    It beats on the loop that fetches and settles: a loop that hangs loses its lease, as it should. After a time in which it could
    not renew, the others may not have been able to either; and when the store's clock has jumped, leases seem to have ended that
    have not: before it takes others for dead, they get the time to renew.
    """

    def __init__(
        self,
        broker: Broker,
        seconds: float,
        *,
        stranded: Callable[[Sequence[Delivery]], None],
        lost: Callable[[], None],
        sweep: Callable[[], int] = lambda: 0,
    ):
        """`stranded` settles what dead workers had begun; `lost` stops what this one holds and others have now.

        `sweep` throws away what was dead for too long.
        """
        self._broker = broker
        self._seconds = seconds
        self._stranded = stranded
        self._lost = lost
        self._sweep = sweep
        self._sweep_again = 0.0
        self._thread = ThreadPoolExecutor(1, "umbel-lease")
        self._renewed = clock.monotonic()
        self._grace = self._renewed + seconds / 3
        """The moment until which nobody is taken for dead."""
        self._ahead: float | None = None
        """How far the store's clock was ahead of our monotonic one at the last renewal."""

    async def run(self) -> None:
        """Renew and recover, for ever; while the store is away, keep trying."""
        is_away = False
        while True:
            try:
                await self._beat()
            except Exception as error:
                if not is_away:
                    is_ours = isinstance(error, BrokerError)
                    log.warning(
                        "Cannot renew the lease: %s. Trying again until it works", error, exc_info=None if is_ours else error
                    )
                is_away = True
                await asyncio.sleep(min(self._seconds / 3, PAUSE))
            else:
                is_away = False
                await asyncio.sleep(self._seconds / 3)

    async def _beat(self) -> None:
        time = await self._renew()
        now = clock.monotonic()
        if self._has_jumped(time - now):
            self._grace = now + self._seconds  # so long the others have asked for, at the latest just before the jump
        elif now - self._renewed > self._seconds * 2 / 3:
            self._grace = now + self._seconds / 2  # others renew every third
        self._renewed = now
        if now >= self._grace:
            await self._recover(time)

    def _has_jumped(self, ahead: float) -> bool:
        """True if the store's clock, now so far ahead of ours, went on by much more than time has."""
        before, self._ahead = self._ahead, ahead
        if before is None or ahead - before < self._seconds / 3:
            return False
        log.warning(
            "The store's clock has jumped by %.1f s: nobody is taken for dead until all had the time to renew", ahead - before
        )
        return True

    async def _renew(self) -> float:
        """The store's time."""
        loop = asyncio.get_running_loop()
        renewal = await loop.run_in_executor(self._thread, self._broker.renew, self._seconds)
        if not renewal:
            log.warning(
                "This worker was taken for dead: its lease of %gs ran out, others have what it held. "
                "It goes on with new work; what it still runs of the old is void",
                self._seconds,
            )
            self._lost()
        return renewal.time

    async def _recover(self, time: float) -> None:
        """Take over from those whose lease had ended at this time of the store's, which has not jumped to it."""
        loop = asyncio.get_running_loop()
        recovered = await loop.run_in_executor(self._thread, self._broker.recover, time)
        if recovered.returned:
            log.warning("Gave back %s of workers that died", shown.count(recovered.returned, "task"))
        if recovered.stranded:
            self._stranded(recovered.stranded)
        if (now := clock.monotonic()) >= self._sweep_again:
            self._sweep_again = now + SWEEP
            if count := await loop.run_in_executor(self._thread, self._sweep):
                log.warning("Threw away %s: too many, or too old", shown.count(count, "dead letter"))
