"""What a worker holds: each delivery with the facts that judging it brought to light."""

from __future__ import annotations

from typing import Any

import msgspec

from umbel import shown
from umbel.client.task import Task
from umbel.execution.outcome import Job
from umbel.stores.broker import Delivery
from umbel.wire import protocol
from umbel.wire.message import Headers, Label


class Ticket(msgspec.Struct, gc=False):
    """One delivery on its way through this worker; also the `request` that worker signals hand to their receivers."""

    delivery: Delivery
    label: Label
    task: Task[..., Any]
    job: Job
    early: bool
    """Acknowledged before the run: after a death it is told as failed, not run again."""
    began: float | None = None
    """When it began (wall clock), once the pool has told."""
    pid: int | None = None
    """The process it runs in, once the pool has told."""
    revoked: bool = False
    """True if it was taken out of the pool because its task was revoked: it never began."""
    signum: int | None = None
    """The signal that somebody asked to be sent to its run."""

    @property
    def id(self) -> str:
        """The task's id."""
        return self.label.id

    @property
    def name(self) -> str:
        """The task's name, or what it was asked to be shown as."""
        return self.label.shadow or self.label.task

    @property
    def headers(self) -> Headers:
        """All headers; raises DecodeError if those that nobody has looked at yet cannot be read."""
        envelope = self.delivery.envelope
        return protocol.headers(envelope, frozenset({envelope.content_type}))

    def __str__(self) -> str:
        return shown.line(f"{self.name}[{self.label.id}]")
