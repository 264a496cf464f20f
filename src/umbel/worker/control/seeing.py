"""What a worker has in hand, and what it can do."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from umbel import clock
from umbel.errors import DecodeError
from umbel.worker.control.panel import inspect_command, ok, refused

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.messages.routing import Queue
    from umbel.wire.envelope import Envelope
    from umbel.worker.control.state import State


MOST_UPCOMING = 100
"""Tasks that wait for their time, in one answer: the next ones."""


@inspect_command(default_timeout=0.2)
async def ping(state: State, **_: Any) -> dict[str, Any]:
    """Ping worker(s)."""
    # On the loop, and with a look at the processes: who cannot run tasks must not seem to be well.
    return ok("pong") if state.worker.pool.pids() else refused("no process that could run tasks is alive")


@inspect_command(alias="dump_active", signature="[safe]", args=[("safe", bool)])
async def active(state: State, safe: Any = None, **_: Any) -> list[dict[str, Any]]:
    """List of tasks currently being executed."""
    return [state.shown(ticket, begun, safe=bool(safe)) for ticket, begun in state.running()]


@inspect_command(alias="dump_reserved")
async def reserved(state: State, **_: Any) -> list[dict[str, Any]]:
    """List of tasks that were received and wait for a free process."""
    return [state.shown(ticket) for ticket in state.waiting()]


@inspect_command(alias="dump_schedule")
async def scheduled(state: State, **_: Any) -> list[dict[str, Any]]:
    """List of tasks that wait for their time in the queues that are served (the next 100), or for their rate limit."""
    shown = [entry for each in await _upcoming(state) if (entry := _until(each, state))]
    for bucket in state.worker.fetch.later.buckets():
        for place, delivery in enumerate(bucket.in_order()):
            due = clock.now() + max(bucket.next - clock.monotonic(), 0.0) + place * bucket.interval
            eta = datetime.datetime.fromtimestamp(due, datetime.UTC).isoformat()
            shown.append({"eta": eta, "priority": 6, "request": state.shown_waiting(delivery)})
    return shown


async def _upcoming(state: State) -> list[Envelope]:
    import asyncio  # here, as the command line does without

    worker = state.worker
    asked = asyncio.get_running_loop().run_in_executor(None, worker.broker.upcoming, _shown(state), MOST_UPCOMING)
    return await asked


def _until(envelope: Envelope, state: State) -> dict[str, Any] | None:
    """None of one that cannot be read: it is buried when it is due."""
    try:
        request = state.shown_envelope(envelope)
    except DecodeError:
        return None
    eta = datetime.datetime.fromtimestamp(envelope.due or 0.0, datetime.UTC).isoformat()
    return {"eta": eta, "priority": 6, "request": request}


@inspect_command(args=[("ids", str)], signature="[id1 [id2 [... [idN]]]]", variadic="ids")
async def query_task(state: State, ids: Any, **_: Any) -> dict[str, Any]:
    """Query for task(s) information by id."""
    wanted = {ids} if isinstance(ids, str) else set(ids)
    found = {ticket.id: ["active", state.shown(ticket, begun)] for ticket, begun in state.running() if ticket.id in wanted}
    for ticket in state.worker.book.values():
        if ticket.id in wanted:
            found.setdefault(ticket.id, ["reserved", state.shown(ticket)])
    for delivery in state.throttled():
        if delivery.envelope.id in wanted:
            found.setdefault(delivery.envelope.id, ["scheduled", state.shown_waiting(delivery)])
    return found


@inspect_command(
    alias="dump_tasks", args=[("taskinfoitems", str)], signature="[attr1 [attr2 [... [attrN]]]]", variadic="taskinfoitems"
)
async def registered(state: State, taskinfoitems: Sequence[str] | None = None, builtins: bool = False, **_: Any) -> list[str]:
    """List of registered tasks."""
    names = sorted(name for name in state.worker.tasks if builtins or not name.startswith("celery."))
    wanted = [taskinfoitems] if isinstance(taskinfoitems, str) else taskinfoitems or ["rate_limit"]
    return [_told(state, name, wanted) for name in names]


def _told(state: State, name: str, wanted: Sequence[str]) -> str:
    task = state.worker.tasks[name]
    told = [f"{item}={value}" for item in wanted if (value := getattr(task, str(item), None)) is not None]
    return f"{name} [{' '.join(told)}]" if told else name


@inspect_command()
async def active_queues(state: State, **_: Any) -> list[dict[str, Any]]:
    """List the task queues a worker is currently consuming from."""
    known = state.app.router.queues
    return [_queue(name, known.get(name)) for name in _shown(state)]


def _shown(state: State) -> list[str]:
    """The queues that it serves and that somebody has named."""
    return [name for name in state.worker.fetch.queues if not state.app.hides(name)]


_QUEUE_NULLS = ("queue_arguments", "binding_arguments", "consumer_arguments", "alias", "no_declare", "expires", "message_ttl")
_LENGTHS = ("max_length", "max_length_bytes", "max_priority")


def _queue(name: str, declared: Queue | None) -> dict[str, Any]:
    exchange = declared.exchange if declared and declared.exchange else name
    key = declared.routing_key if declared and declared.routing_key else name
    of_exchange = {"name": exchange, "type": "direct", "arguments": None, "durable": True, "passive": False, "auto_delete": False}
    return {
        "name": name,
        "exchange": {**of_exchange, "delivery_mode": None, "no_declare": False},
        "routing_key": key,
        **dict.fromkeys(_QUEUE_NULLS),
        **dict.fromkeys(_LENGTHS),
        "durable": True,
        "exclusive": False,
        "auto_delete": False,
        "no_ack": False,
        "bindings": [],
    }
