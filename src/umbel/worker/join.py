"""Orders that workers give each other: send the body of a chord whose parts are all there, go on with a kept piece of a chain.

One thread does one after the other: it reads what the store has kept, makes what follows, and leaves that with `settle` as the
end of the order. Only when it is written is the record ended, so whoever dies in between leaves everything to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from umbel import guise, shown, states
from umbel.canvas.pieces import KEPT, ends
from umbel.errors import BrokerDown, ChordError, DecodeError, UmbelError
from umbel.execution.execute import Executor
from umbel.execution.outcome import Outcome
from umbel.execution.request import Request
from umbel.follow.join import Joiner
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Conclusion, Delivery
from umbel.stores.join import Parts
from umbel.wire.brief import brief, encodable, told
from umbel.worker.settle import Settle, Way

log = guise.logger("umbel.worker.join")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts to reach a store of results that is away."""
AGAIN, LATE = 10.0, 600.0
"""Seconds after which a chord without a size is looked at again, and after which the size is lost: Celery's clients tell it
before they send the last part, which of very many takes minutes; umbel's before the first."""


class Done(UmbelError):
    """Somebody else has done it, or it is not to be done yet."""


class Early(UmbelError):
    """It is not known yet whether there is anything to do."""


class Gone(UmbelError):
    """Nothing is kept of what was to be sent."""


class Ends(NamedTuple):
    """What nobody needs any more."""

    chord: str | None = None
    kept: str | None = None


class Join:
    """Does orders. Its inbox belongs to the event loop's thread."""

    def __init__(
        self,
        settle: Settle,
        executor: Executor[Joiner],
        backend: ResultBackend | None,
        *,
        stumbled: Callable[[Delivery, Exception], None],
        max_deliveries: int,
        groups: bool,
    ):
        """`groups`: clients may have saved how the values of a chord are nested, as Celery's do."""
        self._settle = settle
        self._joiner = executor.sequel
        self._backend = backend
        self._stumbled = stumbled
        self._max_deliveries = max_deliveries
        self._groups = groups
        self._inbox: asyncio.Queue[tuple[Delivery, str | None]] = asyncio.Queue()

    def take(self, delivery: Delivery, lost: str | None = None) -> None:
        """Leave an order. `lost`: it has failed too often, so whoever waits for what it would send is told why."""
        self._inbox.put_nowait((delivery, lost))

    async def run(self) -> None:
        """Do orders, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            delivery, lost = await self._inbox.get()
            try:
                await self._do(loop, delivery, lost)
            except Exception as error:
                if lost is not None:
                    log.error("Order %s is buried: %s", delivery.envelope.id, told(error))
                    self._settle.conclude(Conclusion(delivery, buried=encodable(told(error))))
                elif delivery.attempt < self._max_deliveries and not isinstance(error, DecodeError):
                    self._stumbled(delivery, error)
                else:
                    self.take(delivery, told(error))
            finally:
                self._inbox.task_done()

    async def idle(self) -> None:
        """Wait until all orders are done."""
        await self._inbox.join()

    async def _do(self, loop: asyncio.AbstractEventLoop, delivery: Delivery, lost: str | None) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                conclusion, ended = await loop.run_in_executor(None, self._made, delivery, lost)
            except Early as reason:
                log.info("Chord of order %s is looked at again: %s", delivery.envelope.id, reason)
                self._settle.release(delivery, Way.after(AGAIN, parked=True))
                return
            except BrokerDown as error:
                if pause == FIRST_PAUSE:
                    log.error("Cannot read what the parts of a chord gave: %s. Trying again until it works", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                break
        if any(ended) and self._backend is not None:
            self._settle.after(delivery, partial(_end, self._backend, ended))
        self._settle.conclude(conclusion)

    def _made(self, delivery: Delivery, lost: str | None) -> tuple[Conclusion, Ends]:
        """How the order ends, and what is to be forgotten then."""
        order = self._joiner.order(delivery.envelope)
        buried = None
        try:
            outcome, ended = self._lost(order, lost) if lost is not None else self._outcome(order, _age(delivery))
            buried = lost
        except Done as reason:
            log.info("Nothing to do for %s[%s]: %s", order.task, order.id, reason)
            return Conclusion(delivery), Ends()
        return Conclusion(delivery, outcome.results, outcome.envelopes, buried, outcome.arrivals, outcome.sizes), ended

    def _outcome(self, order: Request, age: float) -> tuple[Outcome, Ends]:
        if order.task == KEPT:
            return self._go_on(order)
        chord, last = order.kwargs["chord"], order.kwargs["body"]
        found = self._parts(chord)
        if found is None or not found.is_whole:
            return self._lost(order, self._missing(chord, last, found, age))
        group = self._backend.group(chord) if self._groups and self._backend is not None else None
        ended, chain = Ends(chord=chord), [last]
        if last["task"] == KEPT:  # a body, or the rest of a chain that a group stands before
            try:
                ended, chain = Ends(chord, last["kwargs"]["id"]), self._kept(last["kwargs"])
            except Gone as reason:
                return self._gone(order, last["kwargs"], reason), Ends(chord)
        log.info("Chord %s is whole: %s", chord, brief(last.get("task")))
        return self._joiner.fire(order, found.arrived, chain, group), ended

    def _missing(self, chord: str, last: Mapping[str, Any], found: Parts | None, age: float) -> str:
        """What the store has lost of a chord that an order finds without its parts; raises Done if nothing is lost."""
        assert self._backend is not None, "it was asked for the parts"
        if found is None:
            if self._backend.ended(chord):
                raise Done("it was done before")
            lost = "all that it kept of the chord"
        elif found.size is None:
            if self._groups and age < LATE:
                raise Early("its size is not known yet")
            lost = "how many parts the chord has"
        elif found.is_damaged:
            lost = f"{found.size - len(found.arrived)} of its {found.size} parts"
        else:
            raise Done(f"{len(found.arrived)} of {found.size} parts have arrived")
        ids = [each["task_id"] for each in ends(last) if isinstance(each.get("task_id"), str)]
        if any(each.state in states.READY_STATES for each in self._backend.fetch(ids).values()):
            raise Done("it has ended, and was forgotten")
        return f"the store has lost {lost}"

    def _go_on(self, order: Request) -> tuple[Outcome, Ends]:
        id_ = order.kwargs["id"]
        try:
            chain = self._kept(order.kwargs)
        except Gone as reason:
            return self._gone(order, order.kwargs, reason), Ends()
        if (lost := order.kwargs.get("lost")) is not None:
            part = self._joiner.part(lost)
            return self._joiner.fail(order, chain, part.state, part.value), Ends(kept=id_)
        return self._joiner.go_on(order, chain, order.kwargs["value"]), Ends(kept=id_)

    def _gone(self, order: Request, words: Mapping[str, Any], reason: Exception) -> Outcome:
        """What comes of signatures that are not there: either somebody else has sent them, or the store has lost them.

        Then who waits for their end is told, a chord too; if they were sent, this order is void, and nothing of this is written.
        """
        error = ChordError(f"the rest of its canvas is gone from the store: {told(reason)}")
        outcome = self._joiner.gone(order, words, error)
        if outcome is None:
            raise Done(told(reason))
        log.error("What follows %s cannot be sent: %s", shown.line(order.parent_id or order.id or ""), error)
        return outcome

    def _lost(self, order: Request, why: str) -> tuple[Outcome, Ends]:
        error = ChordError(f"its body could not be sent: {why}")
        if order.task == KEPT:
            chord, last = None, None
        else:
            chord, last = order.kwargs["chord"], order.kwargs["body"]
        if last is not None and last["task"] != KEPT:
            return self._joiner.fail(order, [last], states.FAILURE, error), Ends(chord)
        words = order.kwargs if last is None else last["kwargs"]
        try:
            chain = self._kept(words)
        except (Gone, DecodeError) as reason:
            return self._gone(order, words, reason), Ends(chord)
        return self._joiner.fail(order, chain, states.FAILURE, error), Ends(chord, words["id"])

    def _kept(self, words: Mapping[str, Any]) -> list[Any]:
        """The signatures that are kept for a mark with these words."""
        found = None if self._backend is None else self._backend.group(words["id"])
        if found is None:
            raise Gone("nothing is kept of it")
        return self._joiner.signatures(found, words.get("serializer") or "json")

    def _parts(self, chord: str) -> Parts | None:
        if self._backend is None:
            raise DecodeError("a chord needs a result_backend, and this worker has none")
        return self._backend.parts(chord)


def _age(delivery: Delivery) -> float:
    """For how many seconds an order has been looked at."""
    return 0.0 if delivery.parked is None else delivery.when - delivery.parked


def _end(backend: ResultBackend, ended: Ends) -> None:
    if ended.chord is not None:
        backend.done(ended.chord)
    if ended.kept is not None:
        backend.forget_group(ended.kept)
