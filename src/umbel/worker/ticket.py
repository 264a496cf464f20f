"""What a worker holds: each delivery with the facts that judging it brought to light."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

from umbel import shown
from umbel.client.task import Task
from umbel.execution.outcome import Job
from umbel.stores.broker import Delivery
from umbel.wire import protocol
from umbel.wire.message import Headers, Label, Message


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

    # What receivers from Celery ask of a request.

    @property
    def task_id(self) -> str:
        """The same as `id`."""
        return self.label.id

    @property
    def task_name(self) -> str:
        """The same as `name`."""
        return self.name

    @property
    def type(self) -> str:
        """The task's registered name."""
        return self.label.task

    @property
    def message(self) -> Message:
        """The whole message; raises DecodeError if it cannot be read."""
        envelope = self.delivery.envelope
        return protocol.decode(envelope, frozenset({envelope.content_type}))

    @property
    def args(self) -> Any:
        """The arguments."""
        return self.message.args

    @property
    def kwargs(self) -> Any:
        """The named arguments."""
        return self.message.kwargs

    @property
    def body(self) -> bytes:
        """The payload, as it came."""
        return self.delivery.envelope.body

    @property
    def content_type(self) -> str:
        """How the payload is written."""
        return self.delivery.envelope.content_type

    @property
    def content_encoding(self) -> str:
        """In which characters."""
        return self.delivery.envelope.content_encoding

    @property
    def app(self) -> Any:
        """The app of its task."""
        return self.task.app

    @property
    def argsrepr(self) -> str | None:
        """The arguments as their sender described them."""
        return self.headers.argsrepr

    @property
    def kwargsrepr(self) -> str | None:
        """The named arguments as their sender described them."""
        return self.headers.kwargsrepr

    @property
    def root_id(self) -> str | None:
        """The id of what all began with."""
        return self.headers.root_id

    @property
    def parent_id(self) -> str | None:
        """The id of the task that sent it."""
        return self.headers.parent_id

    @property
    def group(self) -> str | None:
        """The id of its group."""
        return self.headers.group

    @property
    def group_index(self) -> int | None:
        """Its place in the group."""
        return self.headers.group_index

    @property
    def chord(self) -> Any:
        """The body of the chord that it is part of."""
        return self.message.embed.chord

    @property
    def errbacks(self) -> Any:
        """What is called if it fails."""
        return self.message.embed.errbacks

    @property
    def eta(self) -> datetime.datetime | None:
        """When it may run."""
        return _moment(self.label.eta)

    @property
    def expires(self) -> datetime.datetime | None:
        """After what time it is of no use."""
        return _moment(self.label.expires)

    @property
    def time_limits(self) -> tuple[float | None, float | None]:
        """Its own hard and soft limit, in seconds."""
        hard, soft = self.label.timelimit
        return hard, soft

    @property
    def delivery_info(self) -> dict[str, Any]:
        """How it came."""
        envelope, delivery = self.delivery.envelope, self.delivery
        return {
            "exchange": envelope.exchange,
            "routing_key": envelope.routing_key or envelope.queue,
            "priority": envelope.priority,
            "redelivered": delivery.attempt > 1,
        }

    @property
    def correlation_id(self) -> str:
        """What an answer would bear."""
        envelope = self.delivery.envelope
        return str(envelope.properties.get("correlation_id") or envelope.id)

    @property
    def reply_to(self) -> str:
        """Where an answer would go."""
        return self.delivery.envelope.reply_to

    @property
    def ignore_result(self) -> bool:
        """True if nobody wants its result."""
        asked = self.label.ignore_result
        return bool(self.task.ignore_result if asked is None else asked)

    @property
    def store_errors(self) -> bool:
        """True if its failure would be kept."""
        return not self.ignore_result or bool(self.task.store_errors_even_if_ignored)

    @property
    def acknowledged(self) -> bool:
        """True if it is taken, whatever becomes of it."""
        return self.early

    @property
    def time_start(self) -> float | None:
        """The same as `began`."""
        return self.began

    @property
    def worker_pid(self) -> int | None:
        """The same as `pid`."""
        return self.pid

    @property
    def utc(self) -> bool:
        """True: all times are."""
        return True

    @property
    def tzlocal(self) -> Any:
        """The zone of its app."""
        return self.task.app.timezone

    @property
    def request_dict(self) -> dict[str, Any]:
        """All headers, as they came."""
        found: dict[str, Any] = msgspec.json.decode(self.delivery.envelope.headers)
        return found

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What it is, as data; with `safe` its arguments as they were described."""
        return {
            "id": self.id,
            "name": self.name,
            "args": self.argsrepr if safe else self.args,
            "kwargs": self.kwargsrepr if safe else self.kwargs,
            "type": self.type,
            "time_start": self.began,
            "acknowledged": self.early,
            "delivery_info": self.delivery_info,
            "worker_pid": self.pid,
        }

    def humaninfo(self) -> str:
        """Its name and id."""
        return str(self)

    def __str__(self) -> str:
        return shown.line(f"{self.name}[{self.label.id}]")


def _moment(text: Any) -> datetime.datetime | None:
    found = datetime.datetime.fromisoformat(text) if isinstance(text, str) else text
    return found.replace(tzinfo=datetime.UTC) if isinstance(found, datetime.datetime) and found.tzinfo is None else found
