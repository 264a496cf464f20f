"""Runs a call here and now as a worker would: for `apply`, and for `task_always_eager` in tests (see `stage`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeAlias

from umbel import clock
from umbel.errors import EncodeError, Retry
from umbel.execution.ending import Ending
from umbel.execution.execute import Executor, brief_text
from umbel.execution.lines import log, say
from umbel.execution.outcome import Kind
from umbel.execution.request import OWN, Request, flat
from umbel.follow.executor import make_executor
from umbel.follow.join import Joiner
from umbel.messages.options import checked
from umbel.wire import encoding, result
from umbel.wire.brief import brief
from umbel.wire.host import host_name
from umbel.wire.ids import new_id

Task: TypeAlias = Any
"""A `client.task.Task`, whose file imports this one."""


def run(
    task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any], *, again: bool = True
) -> tuple[Request, Ending, str | None]:
    """A run in this process: its request, how it ended, and the traceback. Unless `again` is false, retries follow at once."""
    request, executor = _ready(task, args, kwargs, options)
    ending = _run(executor, task, request)
    while again and ending.kind is Kind.RETRY and isinstance(ending.value, Retry):
        request = _again(request, ending.value)
        ending = _run(executor, task, request)
    return request, ending, ending.einfo.traceback if ending.einfo is not None else None


def ended(
    task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any], kind: Kind, value: Any
) -> tuple[Request, Ending, str | None]:
    """The same of a call whose code somebody else has run, or let be: with all that follows from it."""
    request, executor = _ready(task, args, kwargs, options)
    return request, executor.sequel.complete(task, request, Ending(kind, value)), None


def _ready(
    task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any]
) -> tuple[Request, Executor[Joiner]]:
    """The request of a call, and who runs it."""
    request = _request(task, args, kwargs, options)
    return request, make_executor(task.app.tasks, hostname=request.hostname or "", accept=frozenset())


def _run(executor: Executor[Joiner], task: Task, request: Request) -> Ending:
    """Run it once, and log how that ended."""
    began = clock.monotonic()
    ending = executor.perform(task, request, is_async=task.is_async)
    kind, value = ending.kind, ending.value
    if log.isEnabledFor(logging.INFO) or kind is Kind.FAILURE:
        text = brief_text(value) if kind is Kind.RETRY else brief(value.reason if kind is Kind.REJECTED else value)
        traceback = ending.einfo.traceback if ending.einfo else ""
        who = f"{task.name}[{request.id}]"
        say(kind, who, text, clock.monotonic() - began, expected=ending.expected, traceback=traceback)
    return ending


def _request(task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any]) -> Request:
    found = checked(task.name, options)
    id_ = found.get("task_id") or new_id()
    headers = found.get("headers", {})
    # As a worker has it: a custom header is an attribute unless it would hide one of the request's own.
    request = Request(**{name: value for name, value in headers.items() if name not in OWN})
    request.update(
        id=id_,
        task=task.name,
        args=args,
        kwargs=kwargs,
        root_id=found.get("root_id") or id_,
        parent_id=found.get("parent_id"),
        retries=found.get("retries", 0),
        is_eager=True,
        called_directly=False,
        hostname=host_name(),
        ignore_result=found.get("ignore_result"),
        callbacks=found.get("link"),
        errbacks=found.get("link_error"),
        chain=found.get("chain"),
        chord=found.get("chord"),
        group=found.get("group_id"),
        group_index=found.get("group_index"),
        reply_to=found.get("reply_to"),
        replaced_task_nesting=found.get("replaced_task_nesting", 0),
        stamped_headers=found.get("stamped_headers"),
        stamps={name: found[name] for name in found.get("stamped_headers") or () if name in found},
        headers=flat(headers),
        properties={},
        correlation_id=id_,
        delivery_info={
            "is_eager": True,
            "exchange": found.get("exchange"),
            "routing_key": found.get("routing_key"),
            "priority": found.get("priority"),
            "redelivered": False,
        },
        owner=task,
    )
    return request


def _again(request: Request, retry: Retry) -> Request:
    """The request of the next try."""
    sig: Any = retry.sig
    fields = {**request.__dict__, "args": tuple(sig["args"]), "kwargs": dict(sig["kwargs"])}
    fields.update(retries=request.retries + 1, parent_id=request.id, children=[], follow_ups=[], events=(), grown=())
    fields.pop("entered", None)
    return Request(**fields)


def store(task: Task, request: Request, ending: Ending, text: str | None) -> None:
    reading = task.app.reading()
    if reading.store is not None and not task.ignore_result:
        state, serializer = ending.kind.state, reading.serializer
        reading.store.store([result.encode(request.id or "", state, ending.value, traceback=text, serializer=serializer)])


def as_received(task: Task, args: Any, kwargs: Any, serializer: str | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as they would arrive at a worker: what cannot travel is found out also where nothing does."""
    name = serializer or task.serializer or "json"
    try:
        kind, codec, data = encoding.dumps([list(args), dict(kwargs)], name, name="arguments")
    except EncodeError as problem:
        raise EncodeError(f"{task.name}: {problem}") from problem
    args, kwargs = encoding.loads(data, kind, codec, frozenset({kind}))
    return tuple(args), dict(kwargs)
