"""How many tasks run at once, changed while the worker runs. What runs goes on to its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from umbel.wire.brief import brief
from umbel.worker.control.panel import control_command, ok, refused

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State

_MODULE = re.compile(r"\w+(\.\w+)*")
MOST = 10_000
"""Processes, threads or tasks at once; more is a slip of the pen."""


def _count(given: Any) -> int:
    try:
        count = int(given)
    except (TypeError, ValueError, OverflowError):
        count = 0
    if not 0 < count <= MOST or isinstance(given, bool) or (isinstance(given, float) and count != given):
        raise ValueError(f"{brief(given, 100)} is no whole number from 1 to {MOST}")
    return count


@control_command(args=[("n", int)], signature="[N=1]")
async def pool_grow(state: State, n: int = 1, **_: Any) -> dict[str, Any]:
    """Grow pool by n processes/threads."""
    if state.worker.autoscale is not None:
        return refused("pool_grow is not for a worker that scales by itself: change its bounds with autoscale")
    await state.worker.resize(min(state.worker.pool.slots + _count(n), MOST))
    return ok("pool will grow")


@control_command(args=[("n", int)], signature="[N=1]")
async def pool_shrink(state: State, n: int = 1, **_: Any) -> dict[str, Any]:
    """Shrink pool by n processes/threads."""
    if state.worker.autoscale is not None:
        return refused("pool_shrink is not for a worker that scales by itself: change its bounds with autoscale")
    slots = state.worker.pool.slots - _count(n)
    if slots < 1:
        raise ValueError("nothing would be left to run tasks; cancel_consumer pauses a worker")
    await state.worker.resize(slots)
    return ok("pool will shrink")


@control_command()
async def pool_restart(state: State, modules: Any = None, reload: bool = False, reloader: Any = None, **_: Any) -> dict[str, Any]:
    """Restart execution pool."""
    worker, app = state.worker, state.app
    if not app.conf.worker_pool_restarts:
        raise ValueError("Pool restarts not enabled")
    if reloader is not None:
        raise ValueError("a reloader is code, which is not sent to workers: modules are imported anew by importlib.reload")
    if not worker.pool.can_renew:
        raise ValueError(f"the pool {worker.pool_name!r} has no processes of its own that could begin anew: restart the worker")
    names = [modules] if isinstance(modules, str) else modules or []
    if not isinstance(names, list) or not all(isinstance(name, str) and _MODULE.fullmatch(name) for name in names):
        raise ValueError(f"{modules!r} are no names of modules")
    if reload and not names:
        names = app.task_modules()
    if names:
        await _load(state, names, again=bool(reload))
    await worker.pool.renew(names, again=bool(reload))
    return ok("reload started")


async def _load(state: State, names: list[str], *, again: bool) -> None:
    """Import them in this process, in a thread, before any child begins with them; then keep the limits of what is new."""
    import asyncio  # here and below, as the command line does without

    from umbel.client.reloading import load
    from umbel.wire.brief import told

    worker = state.worker
    before = dict(worker.tasks)
    try:
        await asyncio.get_running_loop().run_in_executor(None, load, state.app, names, again)
    except (Exception, SystemExit) as error:
        raise ValueError(f"the processes stay as they are, since {', '.join(names)} cannot be loaded: {told(error)}") from error
    for name, task in worker.tasks.items():
        if before.get(name) is not task:
            worker.limits.set(name, task.rate_limit)


@control_command(args=[("max", int), ("min", int)], signature="[max [min]]")
async def autoscale(state: State, max: int | None = None, min: int | None = None, **_: Any) -> dict[str, Any]:
    """Modify autoscale settings."""
    scaling = state.worker.autoscale
    if scaling is None:
        raise ValueError("Autoscale not enabled")
    await scaling.bound(None if max is None else _count(max), None if min is None else _count(min))
    return ok(f"autoscale now max={scaling.most} min={scaling.least}")
