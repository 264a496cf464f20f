"""What the executor needs of a task; the client's `Task` is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from umbel.errors import Retry
from umbel.execution.einfo import ExceptionInfo


def find_task(tasks: Mapping[str, Runnable], name: str) -> Runnable | None:
    """The task of that name: one of an app's own, or one that every app has."""
    task = tasks.get(name)
    if task is None:
        builtin: Mapping[str, Runnable] | None = getattr(tasks, "builtin", None)
        return None if builtin is None else builtin.get(name)
    return task


class Runnable(Protocol):
    """A task as the execution room sees it: what to call, what to tell, and how it wants to be retried.

    All attributes are read at each run, so that they may be changed while the worker lives. Hooks are plain functions, also for
    `async def` tasks.
    """

    name: str
    """Its registered name."""
    entry: Callable[..., Any]
    """What to call with the message's arguments: `run`, or the task itself if its class has a `__call__` of its own."""
    ignore_result: bool | None
    """True if nobody wants its results, where the message does not say."""
    store_errors_even_if_ignored: bool | None
    """True if failures are stored all the same."""
    trail: bool
    """True if the result remembers what the run has sent."""
    throws: Any
    """Exceptions, a class or a tuple, that are part of its normal work."""
    resultrepr_maxsize: int
    """Characters of the value's repr in logs."""
    max_retries: int | None
    """Retries after which it fails for good; None: never."""
    default_retry_delay: float
    """Seconds until a retry for which nothing else is said."""
    autoretry_for: Any
    """Exceptions for which it is retried by itself."""
    dont_autoretry_for: Any
    """Exceptions among those for which it is not."""
    retry_kwargs: Mapping[str, Any]
    """Arguments of `retry` for automatic retries."""
    retry_backoff: bool | float
    """Seconds before the first automatic retry, doubled each time; True: one; False: `default_retry_delay`."""
    retry_backoff_max: float
    """The longest such pause in seconds."""
    retry_jitter: bool
    """True if the pause is drawn between nothing and all of that."""
    pydantic: bool
    """True if annotated arguments are validated, and a returned model is turned into plain values."""
    pydantic_strict: bool | None
    """Passed to `model_validate`."""
    pydantic_context: Mapping[str, Any] | None
    """Passed to `model_validate`."""
    pydantic_dump_kwargs: Mapping[str, Any] | None
    """Passed to `model_dump`."""

    @property
    def is_async(self) -> bool:
        """True if calling `entry` gives a coroutine."""

    @property
    def retry(self) -> Callable[..., Retry]:
        """Ends a run so that the task runs again; called by its own code, and for automatic retries."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> object:
        """Called before the run."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> object:
        """Called after a run that succeeded."""

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: ExceptionInfo | None) -> object:
        """Called after a run that failed for good."""

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: ExceptionInfo | None) -> object:
        """Called after a run that is to be retried."""

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: ExceptionInfo | None) -> object:
        """Called after a run that succeeded or failed for good."""
