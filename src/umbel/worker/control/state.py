"""What commands see of their worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from umbel.client.app import Umbel
from umbel.client.remote.request import Request
from umbel.client.task import Task
from umbel.errors import DecodeError
from umbel.execution.outcome import Begun
from umbel.pools.pool import Pool
from umbel.stores.broker import Broker, Delivery
from umbel.wire import protocol
from umbel.wire.envelope import Envelope
from umbel.worker.autoscale import Autoscale
from umbel.worker.book import Book
from umbel.worker.fetch import Fetch
from umbel.worker.herald import Herald
from umbel.worker.judge import Judge
from umbel.worker.ratelimit import RateLimits
from umbel.worker.revoked import Revoked
from umbel.worker.ticket import Ticket

LONG = 64 << 10
"""Bytes of a body from which on arguments are told as the text that their message bears."""


class Steered(Protocol):
    """What commands need of a worker; its parts belong to its loop."""

    app: Umbel
    hostname: str
    pool_name: str
    tasks: Mapping[str, Task[..., Any]]
    accept: frozenset[str]
    broker: Broker
    pool: Pool
    book: Book
    fetch: Fetch
    judge: Judge
    limits: RateLimits
    revoked: Revoked
    events: Herald
    autoscale: Autoscale | None
    most_held: int | None
    """Deliveries in hand at most; None: the pool's own room."""
    began: float
    """When it was made (monotonic)."""

    async def resize(self, slots: int) -> None:
        """Let so many tasks run at once."""
        ...

    def shut_down(self, who: str) -> None:
        """Finish what runs, and stop."""
        ...

    def look_settings(self) -> Mapping[str, Any]:
        """Its limits: what its command line says, else what the settings say."""
        ...


class State:
    """The first argument of each command."""

    def __init__(self, worker: Steered):
        self.worker = worker
        self.app: Umbel = worker.app
        self.hostname: str = worker.hostname
        self.request: Request | None = None
        """What is being answered."""

    @property
    def consumer(self) -> Any:
        """The worker as commands for Celery know it; made by `Umbel.consumer_view`, if a subclass has one."""
        view = getattr(self.app, "consumer_view", None)
        return self.worker if view is None else view(self.worker)

    # -- what is in hand ------------------------------------------------------------------------------------------

    def running(self) -> Iterator[tuple[Ticket, Begun]]:
        """What runs; on the worker's loop."""
        book = self.worker.book
        for begun in self.worker.pool.running():
            if (ticket := book.get(begun.number)) is not None:
                yield ticket, begun

    def waiting(self) -> list[Ticket]:
        """What is in hand and does not run yet."""
        begun = {each.number for each in self.worker.pool.running()}
        return [ticket for number, ticket in self.worker.book.items() if number not in begun]

    def throttled(self) -> list[Delivery]:
        """What waits here since its task's rate limit is used up."""
        return list(self.worker.fetch.later)

    # -- as Celery shows it ---------------------------------------------------------------------------------------

    def shown(self, ticket: Ticket, begun: Begun | None = None, *, safe: bool = False) -> dict[str, Any]:
        """A task in hand, as commands answer with it; `safe`: its arguments as text."""
        label = ticket.label
        shown = self._shown(ticket.delivery, label.id, label.task, label.shadow or label.task, safe=safe)
        shown["acknowledged"] = ticket.early
        if begun is not None:
            shown["time_start"] = begun.when if ticket.began is None else ticket.began
            shown["worker_pid"] = begun.pid
        return shown

    def shown_waiting(self, delivery: Delivery) -> dict[str, Any]:
        """The same for one that was not given to the pool."""
        label = protocol.label(delivery.envelope, self.worker.accept)
        return self._shown(delivery, label.id, label.task, label.shadow or label.task, safe=False)

    def shown_envelope(self, envelope: Envelope) -> dict[str, Any]:
        """The same for one that is in the store."""
        return self.shown_waiting(Delivery(envelope, envelope.queue, None, 1))

    def _shown(self, delivery: Delivery, id: str, type: str, name: str, *, safe: bool) -> dict[str, Any]:
        envelope = delivery.envelope
        args, kwargs = self._arguments(delivery, safe=safe)
        return {
            "id": id,
            "name": name,
            "args": args,
            "kwargs": kwargs,
            "type": type,
            "hostname": self.hostname,
            "time_start": None,
            "acknowledged": False,
            "delivery_info": {
                "exchange": envelope.exchange,
                "routing_key": envelope.routing_key or delivery.queue,
                "priority": envelope.priority,
                "redelivered": delivery.attempt > 1,
            },
            "worker_pid": None,
        }

    def _arguments(self, delivery: Delivery, *, safe: bool) -> tuple[Any, Any]:
        """As values if they are JSON of a bearable length, else as the text that the message bears: nothing is unpickled here."""
        envelope, accept = delivery.envelope, self.worker.accept
        if not safe and envelope.content_type == "application/json" and len(envelope.body) < LONG:
            with suppress(DecodeError):
                message = protocol.decode(envelope, accept)
                return message.args, message.kwargs
        with suppress(DecodeError):
            headers = protocol.headers(envelope, accept & {"application/json"})
            return headers.argsrepr or "", headers.kwargsrepr or ""
        return "", ""
