"""Conclusions and releases into the store, in batches: results, follow-ups and acks in one step where the store can.

Whoever decides how a delivery ends (`judge` by way of `fetch`, `reap`, `lease`) leaves it here and goes on.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from umbel import clock, guise, shown, signals
from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.join import Arrival
from umbel.stores.slices import MOST_BYTES, slices
from umbel.wire.brief import encodable, told
from umbel.wire.parts import spoiled
from umbel.wire.result import Result

log = guise.logger("umbel.worker.settle")

S = TypeVar("S")

BATCH = 1000
"""Conclusions in one step of the store: past a few hundred the cost of each no longer falls, but other writers wait longer."""
FULL, FULL_BYTES = 20_000, 4 * MOST_BYTES
"""Unsettled deliveries, and bytes that are to be written of them, at which `fetch` stops taking more: a store that is away is not
to fill our memory."""
ROUND = 0.1
"""Seconds to which a moment is rounded up that need not be kept to."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
TRIES = 4
"""Attempts at a batch to which the store says neither yes nor no, but raises what it never should."""


class Way(msgspec.Struct, frozen=True):
    """How a delivery goes back; deliveries that go the same way travel together."""

    at: float | None = None
    """Not before this moment (monotonic); the store is told how many seconds that is from now."""
    counted: bool = False
    parked: bool = False

    @classmethod
    def after(cls, seconds: float, *, counted: bool = False, parked: bool = False) -> Way:
        """In about so many seconds, a little later, so that what is left about the same time goes back together."""
        step = ROUND if seconds < 1 else 5 * ROUND
        return cls(math.ceil((clock.monotonic() + seconds) / step) * step, counted, parked)


AT_ONCE = Way()


class Batch(msgspec.Struct):
    """What is to be written in one go."""

    notes: list[Result] = msgspec.field(default_factory=list)
    conclusions: list[Conclusion] = msgspec.field(default_factory=list)
    sizes: list[int] = msgspec.field(default_factory=list)
    """Bytes of each conclusion."""
    releases: dict[Way, list[Delivery]] = msgspec.field(default_factory=dict)
    hastened: list[tuple[Sequence[str], float]] = msgspec.field(default_factory=list)
    """Queues, and seconds: what is due there within them is due once all this is written."""


class Next(Protocol):
    """Takes what is sent by one conclusion and held at once, without a `reserve`."""

    def wanted(self) -> Sequence[str]:
        """The queues from which it takes a delivery at once, in the place of one that ends; none if it cannot."""

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        """Go on with these."""

    def moved(self) -> None:
        """Note that less is expected of what was left here."""


class Nobody:
    """Wants nothing."""

    def wanted(self) -> Sequence[str]:
        """None."""
        return ()

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        """There are none."""

    def moved(self) -> None:
        """Nobody counts."""


class Settle:
    """Writes what was decided. The inbox belongs to the event loop's thread, each batch to the one writing thread."""

    def __init__(self, broker: Broker, backend: ResultBackend | None):
        self._broker = broker
        self._backend = backend
        self._joint = backend is not None and broker.keeps(backend)
        self._inbox = Batch()
        self.waiting = 0
        """How much was left here and is not written yet."""
        self._bytes = 0
        self._lighter = asyncio.Event()
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "umbel-settle")
        self._loop = asyncio.get_running_loop()
        self._abandoned = False
        self.leading = 0
        """So many conclusions left here send something, and may each bring a delivery in the place of the one that ends."""
        self.next: Next = Nobody()
        """Who takes these deliveries; set by who builds it."""
        self._after: dict[int, Callable[[], None]] = {}
        """What is to be done in the writing thread once a delivery is concluded, by the identity of the delivery."""

    def after(self, delivery: Delivery, then: Callable[[], None]) -> None:
        """Do this once the conclusion of a delivery is written, unless others have it by then. Lost if this process dies."""
        self._after[id(delivery)] = then

    def conclude(self, *conclusions: Conclusion) -> None:
        """Leave deliveries that are at their end."""
        sizes = []
        for conclusion in conclusions:  # `leads` and `size`, written out: this is done for every task
            results = conclusion.results
            if conclusion.envelopes or conclusion.arrivals:
                sizes.append(conclusion.size())
                self.leading += 1
            elif results:
                sizes.append(len(results[0].document) if len(results) == 1 else conclusion.size())
            else:
                sizes.append(0)
        if sizes:
            self._inbox.conclusions += conclusions
            self._inbox.sizes += sizes
            self.waiting += len(sizes)
            self._bytes += sum(sizes)
            self._wake.set()

    def release(self, delivery: Delivery, way: Way = AT_ONCE) -> None:
        """Leave a delivery that goes back to its queue."""
        self._inbox.releases.setdefault(way, []).append(delivery)
        self.waiting += 1
        self._wake.set()

    def hasten(self, queues: Sequence[str], within: float) -> None:
        """Let what waits in these queues for so many seconds at most be due at once, once all that was left here is written."""
        self._inbox.hastened.append((queues, within))
        self.waiting += 1
        self._wake.set()

    def note(self, result: Result) -> None:
        """Leave a result that ends nothing (STARTED)."""
        self._inbox.notes.append(result)
        self.waiting += 1
        self._wake.set()

    @property
    def is_full(self) -> bool:
        """True if no more should be taken on before some of this is written."""
        return self.waiting >= FULL or self._bytes >= FULL_BYTES

    async def room(self) -> None:
        """Wait until it is not full."""
        while self.is_full:
            self._lighter.clear()
            await self._lighter.wait()

    async def settled(self) -> None:
        """Wait until everything left here is written."""
        while self.waiting:
            self._settled.clear()
            await self._settled.wait()

    def abandon(self) -> None:
        """Stop trying: what cannot be written now stays held, and comes back when the lease ends."""
        self._abandoned = True

    async def run(self) -> None:
        """Write batch after batch, until told to stop trying; while one is written the next gathers.

        What a store does not take, whatever it raises, ends the delivery that it belongs to, and no other.
        """
        while not self._abandoned:
            await self._wake.wait()
            self._wake.clear()
            batch, self._inbox = self._inbox, Batch()
            few = 0 < len(batch.sizes) <= BATCH and sum(batch.sizes) <= MOST_BYTES  # as nearly always
            parts = [slice(0, len(batch.sizes))] if few else slices(batch.sizes, most=BATCH)
            steps: list[tuple[Callable[..., Awaitable[None]], Sequence[Any], int]] = [
                *([(self._note, batch.notes, 0)] if batch.notes else []),
                *(
                    (self._end if self.leading else self._conclude, batch.conclusions[part], sum(batch.sizes[part]))
                    for part in parts
                ),
                *((partial(self._release, way), deliveries, 0) for way, deliveries in batch.releases.items()),
                *([(self._hasten, batch.hastened, 0)] if batch.hastened else []),
            ]
            try:
                for write, what, size in steps:
                    await write(what)
                    self.waiting -= len(what)
                    self._bytes -= size
                    self._lighter.set()
                    if not self.waiting:
                        self._settled.set()
            except BrokerDown:  # abandoned
                return

    async def _note(self, notes: Sequence[Result], tries: int = TRIES) -> None:
        if self._backend is None:
            return
        try:
            await self._patiently(self._backend.store, notes, tries)
        except BrokerDown:
            raise
        except Exception as error:
            if len(notes) > 1:
                for note in notes:
                    await self._note([note], 1)
            else:
                log.warning(
                    "The result backend refuses to note that %s is %s: %s", shown.line(notes[0].id), notes[0].state, told(error)
                )

    async def _end(self, conclusions: Sequence[Conclusion]) -> None:
        """The same for those that may bring what follows."""
        leading = sum(each.leads for each in conclusions)
        try:
            await self._conclude(conclusions)
        finally:
            self.leading -= leading
            self.next.moved()

    async def _conclude(self, conclusions: Sequence[Conclusion], tries: int = TRIES) -> None:
        if self.leading and any(conclusion.sizes for conclusion in conclusions):
            await self._expect(conclusions)
        if not self._joint:
            await self._store(conclusions, tries)
        try:
            if self.leading and all(map(_leads_to_one, conclusions)) and (queues := self.next.wanted()):
                lost, is_repeat, following = await self._proceed(conclusions, queues, tries)
                if following:
                    await self.next.take(following)
            else:
                lost, is_repeat = await self._patiently(self._broker.conclude, conclusions, tries)
        except BrokerDown:
            raise
        except Exception as error:
            await self._refused(conclusions, error)
            return
        if self._after:
            await self._go_on(conclusions, lost)
        if lost:
            ids = shown.line(", ".join(delivery.envelope.id for delivery in lost[:3]))
            if is_repeat:  # if the lease had ended, `lease` tells
                log.info("%s written before, by an attempt whose answer was lost: %s", _outcomes(lost, "was", "were"), ids)
            else:
                log.warning(
                    "%s void, this worker's lease had ended and others have the tasks now: %s", _outcomes(lost, "is", "are"), ids
                )

    async def _proceed(
        self, conclusions: Sequence[Conclusion], queues: Sequence[str], tries: int
    ) -> tuple[list[Delivery], bool, list[Delivery]]:
        """The same in one exchange with reserving what follows; gives that, too."""
        following: list[Delivery] = []

        def write(several: Sequence[Conclusion]) -> list[Delivery]:
            lost, held = self._broker.proceed(several, queues)
            following.extend(held)
            return lost

        return *await self._patiently(write, conclusions, tries), following

    async def _expect(self, conclusions: Sequence[Conclusion]) -> None:
        """Tell how many parts the chords have that begin with these, before any of these parts can arrive."""
        backend = self._backend
        for conclusion in conclusions:
            sizes, conclusion.sizes = conclusion.sizes, ()
            if not sizes:
                continue

            def write(sizes: Sequence[tuple[str, int]]) -> None:
                if backend is None:
                    raise BrokerRefused("a chord needs a result_backend that counts its parts, and there is none")
                for chord, size in sizes:
                    backend.expect(chord, size)

            try:
                await self._patiently(write, sizes, 1)
            except BrokerDown:
                raise
            except Exception as error:
                log.error("What follows %s cannot be sent: %s", shown.line(conclusion.delivery.envelope.id), told(error))
                conclusion.results, conclusion.envelopes = (), ()
                conclusion.buried = encodable(f"what follows it could not be sent: {told(error)}")

    async def _go_on(self, conclusions: Sequence[Conclusion], lost: Sequence[Delivery]) -> None:
        """Do what waited for these to be written."""
        gone = {id(delivery) for delivery in lost}
        for conclusion in conclusions:
            then = self._after.pop(id(conclusion.delivery), None)
            if then is None or id(conclusion.delivery) in gone:
                continue
            try:
                await self._loop.run_in_executor(self._thread, then)
            except Exception as error:  # it is forgotten with age
                log.info("A record stays after %s: %s", shown.line(conclusion.delivery.envelope.id), told(error))

    async def _store(self, conclusions: Sequence[Conclusion], tries: int) -> None:
        """Store the results elsewhere, before the deliveries are concluded; whose are refused is buried."""
        results = [result for conclusion in conclusions for result in conclusion.results]
        arrivals = [arrival for conclusion in conclusions for arrival in conclusion.arrivals]
        if self._backend is None:  # nobody keeps them, and no broker is to be told what it cannot keep
            for conclusion in conclusions:
                conclusion.results = conclusion.arrivals = ()
            return
        if not (results or arrivals):
            return
        try:
            if results:
                await self._patiently(self._backend.store, results, tries)
            if arrivals:
                await self._patiently(partial(_arrive, self._backend), conclusions, tries)
        except BrokerDown:
            raise
        except Exception as error:
            if len(conclusions) > 1:
                for conclusion in conclusions:
                    await self._store([conclusion], 1)
                return
            log.error(
                "The result backend refuses the result of %s: %s", shown.line(conclusions[0].delivery.envelope.id), told(error)
            )
            conclusions[0].buried = encodable(f"its result could not be stored: {told(error)}")
        for conclusion in conclusions:
            conclusion.results = conclusion.arrivals = ()

    async def _refused(self, conclusions: Sequence[Conclusion], error: Exception) -> None:
        """Find the conclusion that the store will never take and bury its delivery; the others go their way."""
        if len(conclusions) > 1:
            for conclusion in conclusions:
                await self._conclude([conclusion], 1)
            return
        (conclusion,) = conclusions
        log.error("The store refuses the outcome of %s: %s", shown.line(conclusion.delivery.envelope.id), told(error))
        if conclusion.buried is None or conclusion.results or conclusion.leads:
            reason = encodable(f"its outcome could not be stored: {told(error)}")
            # A chord ends all the same, unless even that is refused.
            full = bool(conclusion.results or conclusion.envelopes)
            spoilt = [_spoiled(each, reason) for each in conclusion.arrivals if each.part is not None] if full else []
            await self._conclude([Conclusion(conclusion.delivery, buried=reason, arrivals=spoilt)], 1)
        else:
            await self._release(Way(counted=True), [conclusion.delivery])

    async def _release(self, way: Way, deliveries: Sequence[Delivery]) -> None:
        def give_back(undone: Sequence[Delivery]) -> list[Delivery]:
            delay = None if way.at is None else max(way.at - clock.monotonic(), 0.0)
            return self._broker.release(undone, delay=delay, counted=way.counted, parked=way.parked)

        try:
            lost, is_repeat = await self._patiently(give_back, deliveries, 1)
        except BrokerDown:
            raise
        except Exception:
            if len(deliveries) > 1:
                for delivery in deliveries:
                    await self._release(way, [delivery])
                return
            log.exception(
                "The store does not take back %s; it comes back when the lease ends", shown.line(deliveries[0].envelope.id)
            )
        else:
            if lost and not is_repeat:
                log.warning("%s could not be given back, this worker's lease had ended", shown.count(len(lost), "message"))

    async def _hasten(self, asked: Sequence[tuple[Sequence[str], float]]) -> None:
        def hasten(asked: Sequence[tuple[Sequence[str], float]]) -> None:
            for queues, within in asked:
                self._broker.hasten(queues, within)

        try:
            await self._patiently(hasten, asked, TRIES)
        except BrokerDown:
            raise
        except Exception as error:
            log.warning("What waits in the store for a rate limit that is gone waits on: %s", told(error))

    async def _patiently(
        self, write: Callable[[Sequence[S]], Sequence[Delivery] | None], what: Sequence[S], tries: int
    ) -> tuple[list[Delivery], bool]:
        """Run `write` in the writing thread, again and again while the store is down; tells also whether it was tried before.

        Then an attempt before may have been the one that did it: only its answer was lost. Stores of somebody else's may raise
        anything, at first maybe only because they are away: that is tried some `tries` times.
        """
        pause, is_repeat, is_away = FIRST_PAUSE, False, False
        while True:
            try:
                writing = partial(_write_and_tell, write) if signals.worker_batch_done.receivers else write
                answer = await self._loop.run_in_executor(self._thread, writing, what)
                if is_away:
                    log.warning("Outcomes are written again")
                return list(answer or ()), is_repeat
            except BrokerRefused:
                raise
            except BrokerDown as error:
                if self._abandoned:
                    raise
                if not is_repeat:
                    log.error("Cannot write outcomes: %s. Trying again until it works", error)
                is_repeat, is_away, what = True, True, what[error.accepted :]
                pause = FIRST_PAUSE if error.accepted else pause
            except Exception:
                tries -= 1
                if tries <= 0:
                    raise
                is_repeat = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _outcomes(several: Sequence[object], one: str, many: str) -> str:
    return f"{shown.count(len(several), 'outcome')} {one if len(several) == 1 else many}"


def _arrive(backend: ResultBackend, conclusions: Sequence[Conclusion]) -> None:
    """Note what arrives at chords that the broker's store does not keep; what completes them leaves with the conclusions."""
    for conclusion in conclusions:
        if conclusion.arrivals:
            then = backend.arrive(conclusion.arrivals)
            conclusion.arrivals = ()
            conclusion.envelopes = [*conclusion.envelopes, *then]


def _spoiled(arrival: Arrival, reason: str) -> Arrival:
    return msgspec.structs.replace(arrival, part=spoiled(arrival.id, reason))


def _write_and_tell(write: Callable[[Sequence[S]], Sequence[Delivery] | None], what: Sequence[S]) -> Sequence[Delivery] | None:
    try:
        return write(what)
    finally:
        signals.worker_batch_done.tell(None)


def _leads_to_one(conclusion: Conclusion) -> bool:
    """True if no more than one delivery follows: of several the first would come here, the others by the queue, in any order."""
    return len(conclusion.envelopes) + len(conclusion.arrivals) <= 1
