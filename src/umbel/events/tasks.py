"""Events of tasks as workers tell them: of fixed form, so that tens of thousands in a second can be made and written."""

from __future__ import annotations

from typing import Any

import msgspec

from umbel.wire.envelope import Envelope
from umbel.wire.message import Headers


class Told(msgspec.Struct, gc=False, kw_only=True):
    """What all have in common."""

    hostname: str
    utcoffset: int
    pid: int
    clock: int
    uuid: str
    timestamp: float
    type: str


class Received(Told, gc=False, kw_only=True):
    """A worker has it."""

    name: str
    args: str | None
    kwargs: str | None
    root_id: str | None
    parent_id: str | None
    retries: int
    eta: str | None
    expires: str | None
    type: str = "task-received"


class Started(Told, gc=False, kw_only=True):
    """It runs."""

    type: str = "task-started"


class Succeeded(Told, gc=False, kw_only=True):
    """It has given something: its repr, and the seconds that it took."""

    result: str
    runtime: float
    type: str = "task-succeeded"


class Failed(Told, gc=False, kw_only=True):
    """It has raised something: its repr."""

    exception: str
    traceback: str | msgspec.UnsetType = msgspec.UNSET
    type: str = "task-failed"


class Retried(Failed, gc=False, kw_only=True):
    """It will run again."""

    type: str = "task-retried"


class Revoked(Told, gc=False, kw_only=True):
    """It was called off: before its run, or, `terminated`, in the midst of it."""

    terminated: bool
    signum: int | None
    expired: bool
    type: str = "task-revoked"


class Rejected(Told, gc=False, kw_only=True):
    """It would not run."""

    requeue: bool
    type: str = "task-rejected"


def sent(known: Headers, envelope: Envelope) -> dict[str, Any]:
    """The fields of `task-sent`, of a message that leaves."""
    return {
        "uuid": known.id,
        "root_id": known.root_id or known.id,
        "parent_id": known.parent_id,
        "name": known.task,
        "args": known.argsrepr,
        "kwargs": known.kwargsrepr,
        "retries": known.retries,
        "eta": known.eta,
        "expires": known.expires,
        "queue": envelope.queue,
        "exchange": envelope.exchange,
        "routing_key": envelope.routing_key or envelope.queue,
    }
