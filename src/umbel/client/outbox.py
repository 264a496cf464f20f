"""Where messages leave: at once, or collected in a batch; tried again while the store is away."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from umbel import clock
from umbel.errors import BrokerDown

if TYPE_CHECKING:
    from umbel.settings import Settings
    from umbel.stores.broker import Broker
    from umbel.wire.envelope import Envelope


class Outbox:
    """Hands envelopes to the broker. Any thread may send; each thread or asyncio task has a batch of its own."""

    def __init__(self, open_broker: Callable[[], Broker], conf: Settings):
        self._open_broker = open_broker
        self._conf = conf
        self._broker: Broker | None = None
        self._patience = 0.0
        self._version = -1
        """Of the settings that `_patience` was read from: reading it for each message would cost more than all else here."""
        self.open_batch: ContextVar[Batch | None] = ContextVar("umbel_batch", default=None)
        """What collects here, if anything does."""

    def send(
        self,
        envelopes: Sequence[Envelope],
        *,
        retry: bool | None = None,
        policy: Mapping[str, Any] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Give `envelopes` to the broker, or to the batch that is open here; `then` is called once they are sent.

        Raises BrokerDown when the store stays away, and tells how many were accepted. All attempts together take at most
        `broker_publish_timeout` seconds, counted anew for the rest of a batch of which some was accepted.
        """
        batch = self.open_batch.get()
        if batch is not None:
            batch.add(envelopes, then)
            return
        broker = self._broker
        if broker is None:
            broker = self._broker = self._open_broker()
        if self._version != self._conf.version:
            self._version, self._patience = self._conf.version, self._conf.broker_publish_timeout
        end = clock.monotonic() + self._patience
        try:
            broker.send(envelopes, within=self._patience)
        except BrokerDown as error:
            if not (self._conf.task_publish_retry if retry is None else retry):
                raise error.with_traceback(None) from None  # it says all; what it came from is our own affair
            self._try_again(broker, envelopes, {**self._conf.task_publish_retry_policy, **(policy or {})}, end, error)
        if then is not None:
            then()

    def leave(self) -> None:
        """Forget the broker: the next message asks for it again."""
        self._broker = None

    def _try_again(
        self, broker: Broker, envelopes: Sequence[Envelope], policy: Mapping[str, Any], end: float, error: BrokerDown
    ) -> None:
        """Try again until `end` (monotonic) as the policy has it; ids make visible what was taken twice."""
        import random

        limit, accepted, attempts = policy.get("max_retries"), error.accepted, itertools.count()
        if accepted:
            end = clock.monotonic() + self._patience
        while True:
            attempt = next(attempts)
            pause = min(
                float(policy.get("interval_start") or 0) + attempt * float(policy.get("interval_step") or 0),
                float(policy.get("interval_max") or 1),
            )
            # A little jitter, so that many senders do not come back in one wave.
            pause = max(pause * random.uniform(0.9, 1.1), 0.0)
            left = end - clock.monotonic() - pause
            if left <= 0 or (limit is not None and attempt >= limit):
                error.accepted = accepted
                raise error.with_traceback(None) from None  # as above
            time.sleep(pause)
            try:
                broker.send(envelopes[accepted:] if accepted else envelopes, within=left)
                return
            except BrokerDown as again:
                if again.accepted:  # it goes on, however slowly
                    accepted += again.accepted
                    end, attempts = clock.monotonic() + self._patience, itertools.count()
                if clock.monotonic() < end or left > self._patience / 2:  # a short last attempt knows only that its time was up
                    error = again

    def batch(self) -> Batch:
        """A context in which messages are collected, to be sent in one step at its end."""
        return Batch(self)

    @contextmanager
    def diverted(self) -> Iterator[Batch]:
        """A context in which nothing leaves: gives the batch into which all goes that is sent here, for somebody else to send."""
        batch = Batch(self)
        token = self.open_batch.set(batch)
        try:
            yield batch
        finally:
            self.open_batch.reset(token)


class Batch:
    """Collects what is sent inside `with`, in this thread or asyncio task, and sends it in one step at the end.

    Nothing is sent if the block raises. A batch inside a batch adds to the outer one.
    """

    def __init__(self, outbox: Outbox):
        self._outbox = outbox
        self.envelopes: list[Envelope] = []
        self.then: list[Callable[[], None]] = []
        self._token: Token[Batch | None] | None = None

    def add(self, envelopes: Sequence[Envelope], then: Callable[[], None] | None = None) -> None:
        """Take these along."""
        self.envelopes.extend(envelopes)
        if then is not None:
            self.then.append(then)

    def forbid_waiting(self, ids: Collection[str]) -> None:
        """Raise RuntimeError if one of these tasks is in here: who waits for it before the end of the block waits for ever."""
        inside = next((envelope.id for envelope in self.envelopes if envelope.id in ids), None)
        if inside is not None:
            raise RuntimeError(
                f"task {inside} is not sent yet: it leaves at the end of `with app.batch():`; wait for it after that"
            )

    def __len__(self) -> int:
        return len(self.envelopes)

    def __enter__(self) -> Self:
        self._token = self._outbox.open_batch.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._token is not None
        self._outbox.open_batch.reset(self._token)
        envelopes, then = self.envelopes, self.then
        self.envelopes, self.then = [], []
        if kind is None and envelopes:
            self._outbox.send(envelopes, then=lambda: call_all(then))


def call_all(functions: list[Callable[[], None]]) -> None:
    """Call each, as those wait for it that are told of what was sent."""
    for function in functions:
        function()
