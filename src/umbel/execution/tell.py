"""How a run ended, told to the task's hooks and to the receivers of signals."""

from __future__ import annotations

import sys
from typing import Any

from umbel import guise, shown, signals, states
from umbel.execution.ending import Ending
from umbel.execution.outcome import Kind
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable

log = guise.logger("umbel.trace")


def tell(task: Runnable, request: Request, ending: Ending, runtime: float) -> None:
    """Call the hooks and receivers that the ending concerns. What they raise is logged: the outcome is decided."""
    if ending.kind is Kind.SUCCESS:
        _tell_success(task, request, ending.value, runtime)
    elif ending.kind is Kind.RETRY:
        _tell_retry(task, request, ending)
    elif ending.kind is Kind.REJECTED:
        if not ending.value.requeue:
            _signal_failure(task, request, ending)
    elif ending.kind not in (Kind.IGNORED, Kind.TERMINATED):
        _tell_failure(task, request, ending)
    if signals.task_postrun.receivers:
        args, kwargs, state = request.args, request.kwargs, ending.kind.state
        _signal(
            signals.task_postrun, task, request, task_id=request.id, task=task, args=args, kwargs=kwargs,
            retval=ending.value, state=state,
        )  # fmt: skip


def _tell_success(task: Runnable, request: Request, value: Any, runtime: float) -> None:
    id_: Any = request.id
    try:
        task.on_success(value, id_, request.args, request.kwargs)
    except BaseException:
        _not_ours(request, "on_success")
    if signals.task_success.receivers:
        _signal(signals.task_success, task, request, result=value, runtime=runtime)
    try:
        task.after_return(states.SUCCESS, value, id_, request.args, request.kwargs, None)
    except BaseException:
        _not_ours(request, "after_return")


def _tell_failure(task: Runnable, request: Request, ending: Ending) -> None:
    id_: Any = request.id
    try:
        task.on_failure(ending.value, id_, request.args, request.kwargs, ending.einfo)
    except BaseException:
        _not_ours(request, "on_failure")
    _signal_failure(task, request, ending)
    try:
        task.after_return(states.FAILURE, ending.value, id_, request.args, request.kwargs, ending.einfo)
    except BaseException:
        _not_ours(request, "after_return")


def _signal_failure(task: Runnable, request: Request, ending: Ending) -> None:
    if signals.task_failure.receivers:
        tb = ending.einfo.tb if ending.einfo else None
        _signal(
            signals.task_failure, task, request, task_id=request.id, exception=ending.value, args=request.args,
            kwargs=request.kwargs, traceback=tb, einfo=ending.einfo,
        )  # fmt: skip


def _tell_retry(task: Runnable, request: Request, ending: Ending) -> None:
    id_: Any = request.id
    reason = ending.value
    try:
        task.on_retry(reason.exc, id_, request.args, request.kwargs, ending.einfo)
    except BaseException:
        _not_ours(request, "on_retry")
    if signals.task_retry.receivers:
        _signal(signals.task_retry, task, request, request=request, reason=reason, einfo=ending.einfo)


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
