"""How a run ended, judged by what the task's code returned or raised."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from umbel.canvas.unfold import Call, Size
from umbel.canvas.unreached import Lost
from umbel.errors import Ignore, Reject, Retry, SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from umbel.execution import arguments, limits, retry
from umbel.execution.einfo import ExceptionInfo, strip
from umbel.execution.outcome import Kind
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.stores.join import Arrival
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result


class Ending(msgspec.Struct):
    """How a run ended and what follows, with the objects themselves; `Outcome` is what of it travels."""

    kind: Kind
    value: Any
    """What the task returned, or the exception that ended it."""
    einfo: ExceptionInfo | None = None
    expected: bool = False
    """A failure that the task's `throws` names."""
    steps: Sequence[Call] = ()
    """The calls that follow, before they are messages."""
    sizes: Sequence[Size] = ()
    """Of the chords that begin with them."""
    arrived: Sequence[Lost] = ()
    """The chords at which this end arrives."""
    results: Sequence[Result] = ()
    envelopes: Sequence[Envelope] = ()
    arrivals: Sequence[Arrival] = ()
    """`arrived` as it is noted."""


def failure(task: Runnable, error: BaseException, kind: Kind = Kind.FAILURE) -> Ending:
    """The ending of a run that failed for good."""
    return Ending(kind, error, ExceptionInfo(error), isinstance(error, retry.errors_of(task.throws)))


def retried(task: Runnable, error: Exception) -> Ending | None:
    """The ending of a run that is to be retried because of this error; None if it was retried as often as it may be."""
    try:
        task.retry(exc=error)
    except Retry as again:
        return Ending(Kind.RETRY, again, ExceptionInfo(again))
    except Exception as problem:
        return None if problem is error else failure(task, problem)
    return None


def overrun(hard: float | None) -> TimeLimitExceeded:
    """What ends a run at its hard limit; it says 30 where somebody has said 30."""
    return TimeLimitExceeded(int(hard) if hard is not None and hard == int(hard) else hard)


def raised(task: Runnable, request: Request, error: BaseException, *, hard: float | None, rand: Callable[[], float]) -> Ending:
    """The ending of a run that raised: told to do something else, to be tried again, or failed."""
    if isinstance(error, Ignore):
        return Ending(Kind.IGNORED, error)
    if isinstance(error, Reject):
        return Ending(Kind.REJECTED, error, ExceptionInfo(error))
    if isinstance(error, limits.Overrun):
        return failure(task, overrun(hard), Kind.TIMEOUT)
    if isinstance(error, limits.CalledOff):
        return failure(task, TaskRevokedError("terminated"), Kind.TERMINATED)
    if not isinstance(error, Exception) and not _is_cancelled(error):
        return _escaped(task, request, error)
    if isinstance(error, SoftTimeLimitExceeded) and type(error) is not SoftTimeLimitExceeded:
        error = SoftTimeLimitExceeded(*error.args).with_traceback(error.__traceback__)  # what coroutines get is both
    if type(error) is TypeError and strip(error.__traceback__) is None:  # raised by the call itself
        text = arguments.misfit(task.name, task.entry, request.args, request.kwargs)
        if text is not None:
            return failure(task, TypeError(text), Kind.MISFIT)
    if not isinstance(error, Exception):
        return failure(task, error)
    try:
        again = retry.wanted(task, request, error, rand)
    except Exception as problem:  # its message cannot be made
        return failure(task, problem)
    return failure(task, error) if again is None else Ending(Kind.RETRY, again, ExceptionInfo(again))


def _is_cancelled(error: BaseException) -> bool:
    """True for a CancelledError: something inside the task was called off, and nobody wants its process to end."""
    asyncio = sys.modules.get("asyncio.exceptions")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _escaped(task: Runnable, request: Request, error: BaseException) -> Ending:
    """The ending of a run that tried to end its process (`sys.exit()`); who waits for it must not exit in its stead."""
    if request.is_eager and isinstance(error, (SystemExit, KeyboardInterrupt)):
        raise error
    lost = WorkerLostError(f"The task raised {brief(error, 200)}, which would have ended its process")
    lost.__cause__ = error
    return failure(task, lost)
