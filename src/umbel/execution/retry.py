"""Runs that are to be tried again: whether, when, and the call that makes it happen."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from umbel.canvas.unfold import Call
from umbel.errors import MaxRetriesExceededError, Retry
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.messages import when
from umbel.messages.given import listed, named
from umbel.messages.options import Options, checked
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope

MOST_DOUBLINGS = 62
"""Further ones make no difference to any `retry_backoff_max`, but do not fit into a float for ever."""

_OF_ONE_DELIVERY = frozenset({"delivery_tag", "delivery_info", "body_encoding", "expiration"})
"""Properties that say something about one hand-out, or about the time of one sending."""

Send = Callable[[Any, Any, Options], list[Envelope]]
"""Makes the messages of a retry of arguments and keyword arguments (None: as they came) and the options given."""


def retry(
    task: Runnable,
    request: Request,
    send: Send,
    *,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    exc: BaseException | None = None,
    eta: datetime.datetime | str | None = None,
    countdown: float | None = None,
    max_retries: int | None = None,
    **options: Any,
) -> Retry:
    """Leave the message of another try with the request, and give the `Retry` that the task is to raise.

    Asked twice in one run, the second replaces the first. Raises `exc` (or MaxRetriesExceededError) once the task has been
    retried as often as it may be, or if it was called directly. For an eager call there is no message: `Retry.sig` is its data.
    """
    if isinstance(exc, Retry):  # `except Exception as exc: self.retry(exc=exc)` around another retry
        exc = exc.exc
    if request.called_directly:
        raise exc or Retry("Task can be retried")
    if max_retries is not None and type(max_retries) is not int:
        raise ValueError(f"{task.name}: max_retries must be a whole number, not {max_retries!r}")
    most = task.max_retries if max_retries is None else max_retries
    if most is not None and request.retries >= most:
        raise exc or _exceeded(task, request, args, kwargs)
    args = None if args is None else listed(task.name, args)
    kwargs = None if kwargs is None else named(task.name, kwargs)
    if eta is None and countdown is None:
        countdown = task.default_retry_delay
    options = {"retries": request.retries + 1, **options, "eta": eta, "countdown": countdown}
    sig = {
        "task": task.name,
        "args": list(request.args if args is None else args),
        "kwargs": dict(request.kwargs if kwargs is None else kwargs),
        "options": options,
    }
    if request.is_eager:
        checked(task.name, options)
    else:
        sent = send(args, kwargs, options)
        request.follow_ups = [one for one in request.follow_ups if one not in request.again] + sent
        request.again = sent
    pause = eta if eta is not None else countdown
    moment = when.absolute(pause) if isinstance(pause, str) else pause
    return Retry(exc=exc, when=moment, is_eager=request.is_eager, sig=sig)


def wanted(task: Runnable, request: Request, error: Exception, rand: Callable[[], float]) -> Retry | None:
    """The retry that a run which raised `error` is to have, by what the task did or by its options; None for none."""
    if isinstance(error, Retry):
        return error if error.sig is not None else by_hand(task, error)
    return automatic(task, request, error, rand) if task.autoretry_for else None


def automatic(task: Runnable, request: Request, exc: BaseException, rand: Callable[[], float]) -> Retry | None:
    """The retry that the task's options ask for after `exc`; None if they do not, or if there have been enough."""
    if not isinstance(exc, errors_of(task.autoretry_for)) or isinstance(exc, errors_of(task.dont_autoretry_for)):
        return None
    options = dict(task.retry_kwargs)
    if task.retry_backoff:
        options["countdown"] = delay_for(task, request.retries, rand)
    trace = exc.__traceback__
    found = None
    try:
        found = task.retry(**{"exc": exc, **options})
    except Retry as raised:
        found = raised.with_traceback(None)
        found.__cause__ = exc
    except BaseException as error:
        if error is not exc:
            raise
    BaseException.with_traceback(exc, trace)  # as attributes of a frozen one cannot be set
    return found


def by_hand(task: Runnable, reason: Retry) -> Retry:
    """The retry that a task means which raises `Retry(…)` itself: without a message it would never run again.

    Raises what its `retry` does.
    """
    pause: dict[str, Any] = {"eta" if isinstance(reason.when, datetime.datetime) else "countdown": reason.when}
    try:
        task.retry(exc=reason.exc, **pause)
    except Retry as found:
        return found.with_traceback(reason.__traceback__)
    return reason


def errors_of(errors: Any) -> tuple[type[BaseException], ...]:
    """Exception classes given as one class or a collection of them, or nothing at all."""
    if not errors:
        return ()
    return (errors,) if isinstance(errors, type) else tuple(errors)


def chance() -> float:
    """A random number below 1."""
    from random import random  # only what runs again needs it

    return random()


def delay_for(task: Runnable, retries: int, rand: Callable[[], float] = chance) -> float:
    """Seconds to wait before the next automatic try: doubled each time, bounded, and drawn from all of that with jitter."""
    factor = 1.0 if task.retry_backoff is True else float(task.retry_backoff)
    pause = min(float(task.retry_backoff_max), factor * 2.0 ** min(retries, MOST_DOUBLINGS))
    return round(rand() * pause, 3) if task.retry_jitter else pause


def once_more(name: str, request: Request, args: Any, kwargs: Any, given: Mapping[str, Any]) -> Call:
    """The same call again: same id, and everything else as it came or as `given` says."""
    carried = request.as_execution_options()
    options = {**carried, **{key: value for key, value in given.items() if value is not None}}
    options["parent_id"] = request.id
    options["add_to_parent"] = False
    options["headers"] = _custom(carried["headers"], given.get("headers"))
    options["ignore_result"] = options.get("ignore_result", request.ignore_result)
    properties = request.properties or {}
    options["properties"] = {name: value for name, value in properties.items() if name not in _OF_ONE_DELIVERY}
    # Whoever hid the arguments when sending wants them hidden in the retry too; other arguments are described anew.
    if args is None:
        options.setdefault("argsrepr", request.argsrepr)
    if kwargs is None:
        options.setdefault("kwargsrepr", request.kwargsrepr)
    if (envelope := request.envelope) is not None:
        options.setdefault("priority", envelope.priority)
        if options.get("queue") is None:
            options["queue"] = envelope.queue
            options.setdefault("exchange", envelope.exchange or None)
            options.setdefault("routing_key", envelope.routing_key or None)
    args, kwargs = request.args if args is None else args, request.kwargs if kwargs is None else kwargs
    return Call(name, args, kwargs, options)


def _custom(carried: Mapping[str, Any] | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The custom headers of both, without RabbitMQ's diary of the message's earlier deaths."""
    both = {**(carried or {}), **(given or {})}
    return {name: value for name, value in both.items() if not name.lower().startswith("x-death")}


def _exceeded(task: Runnable, request: Request, args: Any, kwargs: Any) -> MaxRetriesExceededError:
    """Names the call that would have been the next."""
    args = tuple(request.args or ()) if args is None else tuple(args)
    kwargs = dict(request.kwargs or {}) if kwargs is None else dict(kwargs)
    call = f"args:{brief(args)} kwargs:{brief(kwargs)}"
    return MaxRetriesExceededError(f"Can't retry {task.name}[{request.id}] {call}", task_args=args, task_kwargs=kwargs)
