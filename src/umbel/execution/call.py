"""The call itself: the task's code, with what stands before it, under its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from umbel import signals
from umbel.execution import arguments, lazy, limits
from umbel.execution.einfo import OWN_CODE
from umbel.execution.hooks import Hooks
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable

hooks_of = attrgetter("before_start.__func__", "on_success.__func__", "after_return.__func__")
NO_HOOKS = (Hooks.before_start, Hooks.on_success, Hooks.after_return)
"""What `hooks_of` a task gives if none stands round its successes."""

beginnings: list[Callable[[Runnable, Request], object]] = []
"""A door: called with task and request before the code of each run, behind the receivers of `task_prerun`. What one raises, the
run has raised."""


def call(task: Runnable, request: Request, soft: float | None) -> Any:
    """What the task returns."""
    args, kwargs = _prepare(task, request)
    value = task.entry(*args, **kwargs) if soft is None else limits.call(task.entry, args, kwargs, soft)
    return arguments.dumped(task, value) if task.pydantic else value


async def call_async(task: Runnable, request: Request, soft: float | None, hard: float | None) -> Any:
    """The same of an `async def` task; raises Overrun and CalledOff for what happened to it from outside."""
    from umbel.execution import drive  # brings asyncio, which programs that only send do not need

    try:
        args, kwargs = _prepare(task, request)
        value = await drive.run(task.entry(*args, **kwargs), soft=soft, hard=hard)
        lazy.refuse(task.name, value)
        return arguments.dumped(task, value) if task.pydantic else value
    except limits.Overrun:
        raise
    except BaseException:
        if drive.is_cancelled():
            raise limits.CalledOff from None
        raise


def _prepare(task: Runnable, request: Request) -> tuple[Sequence[Any], Mapping[str, Any]]:
    id_: Any = request.id
    if signals.task_prerun.receivers:
        signals.task_prerun.send(task, task_id=id_, task=task, args=request.args, kwargs=request.kwargs)
    for begin in beginnings:
        begin(task, request)
    task.before_start(id_, request.args, request.kwargs)
    return arguments.validated(task, request.args, request.kwargs) if task.pydantic else (request.args, request.kwargs)


OWN_CODE.update(function.__code__ for function in (call, call_async, _prepare))
