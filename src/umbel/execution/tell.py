"""How a run ended, told to the task's hooks and to the receivers of signals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from umbel import guise, shown, signals, states
from umbel.execution.ending import Ending
from umbel.execution.outcome import Kind
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable

log = guise.logger("umbel.trace")


def tell(task: Runnable, request: Request, ending: Ending, runtime: float) -> None:
    """Call the hooks and receivers that the ending concerns. What they raise is logged: the outcome is decided."""
    kind, value, einfo = ending.kind, ending.value, ending.einfo
    id_, args, kwargs = request.id, request.args, request.kwargs
    if kind is Kind.SUCCESS:
        _hook(request, "on_success", task.on_success, value, id_, args, kwargs)
        if signals.task_success.receivers:
            _signal(signals.task_success, task, request, result=value, runtime=runtime)
        _hook(request, "after_return", task.after_return, states.SUCCESS, value, id_, args, kwargs, None)
    elif kind is Kind.RETRY:
        _hook(request, "on_retry", task.on_retry, value.exc, id_, args, kwargs, einfo)
        if signals.task_retry.receivers:
            _signal(signals.task_retry, task, request, request=request, reason=value, einfo=einfo)
    elif kind is Kind.REJECTED:
        if not value.requeue:
            _signal_failure(task, request, ending)
    elif kind not in (Kind.IGNORED, Kind.TERMINATED):
        _hook(request, "on_failure", task.on_failure, value, id_, args, kwargs, einfo)
        _signal_failure(task, request, ending)
        _hook(request, "after_return", task.after_return, states.FAILURE, value, id_, args, kwargs, einfo)
    if signals.task_postrun.receivers:
        _signal(
            signals.task_postrun, task, request, task_id=id_, task=task, args=args, kwargs=kwargs, retval=value, state=kind.state
        )


def _signal_failure(task: Runnable, request: Request, ending: Ending) -> None:
    if signals.task_failure.receivers:
        tb = ending.einfo.tb if ending.einfo else None
        _signal(
            signals.task_failure, task, request, task_id=request.id, exception=ending.value, args=request.args,
            kwargs=request.kwargs, traceback=tb, einfo=ending.einfo,
        )  # fmt: skip


def _hook(request: Request, name: str, hook: Callable[..., object], *arguments: Any) -> None:
    try:
        hook(*arguments)
    except BaseException:
        _not_ours(request, name)


def _signal(signal: signals.Signal, sender: Runnable, about: Request, /, **arguments: Any) -> None:
    try:
        signal.send(sender, **arguments)
    except BaseException:  # SystemExit: what else they raise, the signal keeps
        _not_ours(about, f"a receiver of {signal.name}")


def _not_ours(request: Request, what: str) -> None:
    """Log what a hook has just raised; an eager call's KeyboardInterrupt is the program's and goes on."""
    error = sys.exception()
    if request.is_eager and error is not None and not isinstance(error, Exception):
        raise error
    name = shown.line(f"{request.task}[{request.id}]")
    log.error("%s of %s failed; the task's outcome stays as it is", what, name, exc_info=error)
