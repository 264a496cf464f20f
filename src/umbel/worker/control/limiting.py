"""Rate limits and time limits of tasks, changed while the worker runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel.errors import ImproperlyConfigured
from umbel.worker.control.panel import control_command, ok, refused

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State


@control_command(args=[("task_name", str), ("rate_limit", str)], signature="<task_name> <rate_limit (e.g., 5/s | 5/m | 5/h)>")
async def rate_limit(state: State, task_name: str, rate_limit: str | float | None, **_: Any) -> dict[str, Any]:
    """Tell worker(s) to modify the rate limit for a task by type."""
    from umbel.worker.ratelimit import per_second

    worker = state.worker
    try:
        per_second(rate_limit)
    except ImproperlyConfigured as error:
        return refused(f"Invalid rate limit string: ValueError({str(error)!r})")
    task = worker.tasks.get(str(task_name))
    if task is None:
        return refused("unknown task")
    old = worker.limits.buckets.get(task.name)
    task.rate_limit = rate_limit
    worker.limits.set(task.name, rate_limit)
    if old is not None:
        await worker.fetch.judge_again(old)
    return ok("new rate limit set successfully" if rate_limit else "rate limit disabled successfully")


@control_command(
    args=[("task_name", str), ("soft", float), ("hard", float)],
    signature="<task_name> <soft_secs> [hard_secs]",
)
async def time_limit(state: State, task_name: str, hard: Any = None, soft: Any = None, **_: Any) -> dict[str, Any]:
    """Tell worker(s) to modify the time limit for task by type."""
    from umbel.messages.options import checked  # here, as the command line does without

    task = state.worker.tasks.get(str(task_name))
    if task is None:
        return refused("unknown task")
    checked(task.name, {"soft_time_limit": soft, "time_limit": hard})
    task.soft_time_limit, task.time_limit = soft, hard
    return ok("time limits set successfully")
