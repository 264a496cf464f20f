"""Runs that are to be tried again: whether, when, and the message that makes it happen."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Mapping
from typing import Any

from umbel.errors import MaxRetriesExceededError, Retry
from umbel.execution import when
from umbel.execution.announce import written_in_run
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message

MOST_DOUBLINGS = 62
"""Further ones make no difference to any `retry_backoff_max`, but do not fit into a float for ever."""

_OF_ONE_DELIVERY = frozenset({"delivery_tag", "delivery_info", "body_encoding", "expiration"})
"""Properties that say something about one hand-out, or about the time of one sending."""


def retry(
    task: Runnable,
    request: Request,
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
    if exhausted(task, request, max_retries):
        raise exc or _exceeded(task, request)
    if eta is None and countdown is None:
        countdown = task.default_retry_delay
    pause = eta if eta is not None else countdown
    moment = when.absolute(pause) if isinstance(pause, str) else pause
    sig = {
        "task": task.name,
        "args": list(request.args if args is None else args),
        "kwargs": dict(request.kwargs if kwargs is None else kwargs),
        "options": {**options, "retries": request.retries + 1},
    }
    if not request.is_eager:
        _leave(request, again(request, task=task, args=args, kwargs=kwargs, eta=eta, countdown=countdown, **options))
    return Retry(exc=exc, when=moment, is_eager=request.is_eager, sig=sig)


def automatic(task: Runnable, request: Request, exc: BaseException, rand: Callable[[], float]) -> Retry | None:
    """The retry that the task's options ask for after `exc`; None if they do not, or if there have been enough."""
    if not isinstance(exc, errors_of(task.autoretry_for)) or isinstance(exc, errors_of(task.dont_autoretry_for)):
        return None
    options = dict(task.retry_kwargs)
    if exhausted(task, request, options.get("max_retries")):
        return None
    if task.retry_backoff:
        options["countdown"] = delay_for(task, request.retries, rand)
    found = retry(task, request, **{"exc": exc, **options})
    found.__cause__ = exc
    return found


def by_hand(task: Runnable, request: Request, reason: Retry) -> Retry:
    """The retry that a task means which raises `Retry(…)` itself; raises what `retry` does."""
    if isinstance(reason.when, datetime.datetime):
        found = retry(task, request, exc=reason.exc, eta=reason.when)
    else:
        found = retry(task, request, exc=reason.exc, countdown=reason.when)
    return found.with_traceback(reason.__traceback__)


def errors_of(errors: Any) -> tuple[type[BaseException], ...]:
    """Exception classes given as one class or a collection of them, or nothing at all."""
    if not errors:
        return ()
    return (errors,) if isinstance(errors, type) else tuple(errors)


def exhausted(task: Runnable, request: Request, max_retries: int | None = None) -> bool:
    """True if one more try would be one too many."""
    most = task.max_retries if max_retries is None else max_retries
    return most is not None and request.retries >= most


def delay_for(task: Runnable, retries: int, rand: Callable[[], float] = random.random) -> float:
    """Seconds to wait before the next automatic try: doubled each time, bounded, and drawn from all of that with jitter."""
    factor = 1.0 if task.retry_backoff is True else float(task.retry_backoff)
    pause = min(float(task.retry_backoff_max), factor * 2.0 ** min(retries, MOST_DOUBLINGS))
    return round(rand() * pause, 3) if task.retry_jitter else pause


def again(
    request: Request,
    *,
    task: Runnable,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    eta: datetime.datetime | str | None = None,
    countdown: float | None = None,
    **options: Any,
) -> Envelope:
    """The message that runs the same call once more: same id, one more retry, everything else as it came or as `options` say."""
    iso, due = when.start(eta, countdown)
    envelope = request.envelope
    queue = options.get("queue")
    same = envelope is not None and queue is None
    address = {
        "queue": _queue_name(queue) or (envelope.queue if envelope else "celery"),
        "serializer": options.get("serializer") or task.serializer or "json",
        "compression": options.get("compression") or task.compression,
        "priority": _first(options.get("priority"), envelope.priority if envelope else None, 0),
        "due": due,
        "exchange": options.get("exchange") or (envelope.exchange if envelope and same else ""),
        "routing_key": options.get("routing_key") or (envelope.routing_key if envelope and same else ""),
        "reply_to": options.get("reply_to") or request.reply_to or "",
        "properties": {name: value for name, value in (request.properties or {}).items() if name not in _OF_ONE_DELIVERY},
    }
    return written_in_run(_message(request, args, kwargs, iso, options), address)


def _message(
    request: Request, args: Any, kwargs: Mapping[str, Any] | None, eta: str | None, options: Mapping[str, Any]
) -> Message:
    hard, soft = options.get("time_limit"), options.get("soft_time_limit")
    headers = Headers(
        task=str(request.task),
        id=str(request.id),
        shadow=options.get("shadow") or request.shadow,
        eta=eta,
        expires=when.expiry(_first(options.get("expires"), request.expires)),
        group=request.group,
        group_index=request.group_index,
        retries=options.get("retries") or request.retries + 1,
        timelimit=(_first(hard, request.time_limit), _first(soft, request.soft_time_limit)),
        root_id=request.root_id or request.id,
        parent_id=request.id,
        # Whoever hid the arguments when sending wants them hidden in the retry too; other arguments are described anew.
        argsrepr=_first(options.get("argsrepr"), request.argsrepr if args is None else None),
        kwargsrepr=_first(options.get("kwargsrepr"), request.kwargsrepr if kwargs is None else None),
        origin=request.origin,
        ignore_result=_first(options.get("ignore_result"), request.ignore_result),
        replaced_task_nesting=request.replaced_task_nesting,
        stamped_headers=request.stamped_headers,
        stamps=request.stamps or {},
    )
    return Message(
        headers,
        request.args if args is None else list(args),
        request.kwargs if kwargs is None else dict(kwargs),
        Embed(
            callbacks=_first(_listed(options.get("link")), request.callbacks),
            errbacks=_first(_listed(options.get("link_error")), request.errbacks),
            chain=_first(options.get("chain"), request.chain),
            chord=_first(options.get("chord"), request.chord),
        ),
        _custom(request.headers, options.get("headers")),
    )


def _leave(request: Request, envelope: Envelope) -> None:
    if request.again in request.follow_ups:
        request.follow_ups.remove(request.again)
    request.again = envelope
    request.follow_ups.append(envelope)


def _custom(carried: Mapping[str, Any] | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The custom headers of both, without RabbitMQ's diary of the message's earlier deaths."""
    both = {**(carried or {}), **(given or {})}
    return {name: value for name, value in both.items() if not name.lower().startswith("x-death")}


def _exceeded(task: Runnable, request: Request) -> MaxRetriesExceededError:
    args, kwargs = tuple(request.args or ()), dict(request.kwargs or {})
    call = f"args:{brief(args)} kwargs:{brief(kwargs)}"
    return MaxRetriesExceededError(f"Can't retry {task.name}[{request.id}] {call}", task_args=args, task_kwargs=kwargs)


def _queue_name(queue: Any) -> str | None:
    return None if queue is None else str(getattr(queue, "name", queue))


def _listed(link: Any) -> list[Any] | None:
    return link if link is None or isinstance(link, list) else [link]


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next((value for value in values if value is not None), None)
