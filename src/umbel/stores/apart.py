"""A broker that sends to one store and takes from another: `broker_write_url` beside `broker_read_url`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Buried, Conclusion, Delivery, Depth, Once, Recovered, Renewal, Revocation
from umbel.wire.envelope import Envelope


class Apart(Broker):
    """What is sent goes to `target`; what is taken, counted and called off is that of `source`.

    What follows from a delivery is sent before the delivery is concluded: after a loss in between it is sent again, under the
    same ids.
    """

    def __init__(self, target: Broker, source: Broker):
        self._target = target
        self._source = source
        self.url = source.url

    @property
    def owner(self) -> str:  # type: ignore[override]  # it is another after a fork
        """That of the source."""
        return self._source.owner

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        """To the target."""
        self._target.send(envelopes, within=within)

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        """To the target."""
        return self._target.send_once(messages)

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        """From the source."""
        return self._source.reserve(queues, limit, wait)

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        """In the source."""
        return self._source.started(early)

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        """What follows to the target, then the rest in the source."""
        followers = [envelope for conclusion in conclusions for envelope in conclusion.envelopes]
        if followers:
            self._target.send(followers)
        return self._source.conclude([replace(each, envelopes=()) if each.envelopes else each for each in conclusions])

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        """In the source."""
        return self._source.release(undone, delay=delay, counted=counted, parked=parked)

    def renew(self, seconds: float) -> Renewal:
        """In the source."""
        return self._source.renew(seconds)

    def recover(self, until: float | None = None) -> Recovered:
        """In the source."""
        return self._source.recover(until)

    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        """In the source, where they wait."""
        self._source.revoke(revocations, seconds)

    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        """Those of the source."""
        return self._source.revocations(after)

    def queues(self) -> list[str]:
        """Those of the source."""
        return self._source.queues()

    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        """Those of the source."""
        return self._source.depth(queues)

    def upcoming(self, queues: Sequence[str], limit: int) -> list[Envelope]:
        """Those of the source."""
        return self._source.upcoming(queues, limit)

    def hasten(self, queues: Sequence[str], within: float) -> int:
        """In the source, where they wait."""
        return self._source.hasten(queues, within)

    def purge(self, queue: str) -> int:
        """In the source."""
        return self._source.purge(queue)

    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        """Those of the source."""
        return self._source.buried(queue, limit=limit, after=after)

    def revive(self, keys: Sequence[str]) -> int:
        """In the source."""
        return self._source.revive(keys)

    def discard(self, keys: Sequence[str]) -> int:
        """In the source."""
        return self._source.discard(keys)

    def sweep(self, *, most: int | None, seconds: float | None) -> int:
        """In the source."""
        return self._source.sweep(most=most, seconds=seconds)

    def doubts(self) -> list[str]:
        """Those of both."""
        return [*self._source.doubts(), *self._target.doubts()]

    def keeps(self, backend: ResultBackend) -> bool:
        """As the source does."""
        return self._source.keeps(backend)

    def close(self) -> None:
        """Leave both."""
        try:
            self._source.close()
        finally:
            self._target.close()
