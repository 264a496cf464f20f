"""The run of one task, as those who watch it know it."""

from __future__ import annotations

from time import monotonic as _monotonic
from typing import Any, NamedTuple

from celery.app._patched import going
from celery.states import IGNORED, RETRY, SUCCESS
from celery.utils.log import get_logger

logger = get_logger(__name__)
IGNORE_STATES = frozenset({IGNORED, RETRY, "REJECTED"})


class trace_ok_t(NamedTuple):  # noqa: N801 - Celery's name
    """How a run ended."""

    retval: Any
    info: Any
    runtime: float
    retstr: str


class TraceInfo:
    """State and value of a run."""

    __slots__ = ("retval", "state")

    def __init__(self, state: str, retval: Any = None):
        self.state = state
        self.retval = retval


def task_has_custom(task: Any, attr: str) -> bool:
    """True if the task's class has this method of its own: neither Celery's nor umbel's."""
    from celery.utils.objects import mro_lookup

    found = mro_lookup(type(task), attr)
    return found is not None and not found.__module__.startswith(("celery.app.", "umbel.client."))


def build_tracer(
    name: str,
    task: Any,
    loader: Any = None,
    hostname: str | None = None,
    store_errors: bool = True,
    Info: Any = TraceInfo,  # noqa: N803 - Celery's name
    eager: bool = False,
    propagate: bool = False,
    app: Any = None,
    monotonic: Any = _monotonic,
    trace_ok_t: Any = trace_ok_t,
    IGNORE_STATES: Any = IGNORE_STATES,  # noqa: N803 - Celery's name
) -> Any:
    """What runs the task once: a function of id, arguments and request."""

    def trace_task(uuid: str, args: Any, kwargs: Any, request: Any = None) -> Any:
        options = dict(request or {})
        began = monotonic()
        go = going.get()
        if go is not None:  # a worker is at it, and knows how
            ending = go()
            value = getattr(ending, "value", None)
            return trace_ok_t(value, None, monotonic() - began, repr(value))
        result = task.apply(args, kwargs, task_id=uuid, throw=propagate, headers=options.get("headers"))
        info = None if result.state == SUCCESS else Info(result.state, result.result)
        return trace_ok_t(result.result, info, monotonic() - began, repr(result.result))

    return trace_task


def trace_task(task: Any, uuid: str, args: Any, kwargs: Any, request: Any = None, **opts: Any) -> Any:
    """Run a task once."""
    if task.__trace__ is None:
        task.__trace__ = build_tracer(task.name, task, **opts)
    return task.__trace__(uuid, args, kwargs, request)


def setup_worker_optimizations(app: Any, hostname: str | None = None) -> None:
    """Make the app the one that the whole process means."""
    app.set_current()
    app.set_default()
    app.finalize()


def reset_worker_optimizations(app: Any = None) -> None:
    """Nothing: there is nothing to undo."""
