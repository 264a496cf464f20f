"""How many tasks run at once, changed while the worker runs. What runs goes on to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel.worker.control.panel import control_command, ok, refused

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State

MOST = 10_000
"""Processes, threads or tasks at once; more is a slip of the pen."""


def _count(given: Any) -> int:
    count = int(given)
    if not 0 < count <= MOST:
        raise ValueError(f"{given!r} is no number from 1 to {MOST}")
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
    if not state.app.conf.worker_pool_restarts:
        raise ValueError("Pool restarts not enabled")
    if modules or reload:
        raise ValueError("processes begin with what the worker has loaded: for other code restart the worker, or send it SIGHUP")
    await state.worker.pool.renew()
    return ok("reload started")


@control_command(args=[("max", int), ("min", int)], signature="[max [min]]")
async def autoscale(state: State, max: int | None = None, min: int | None = None, **_: Any) -> dict[str, Any]:
    """Modify autoscale settings."""
    scaling = state.worker.autoscale
    if scaling is None:
        raise ValueError("Autoscale not enabled")
    await scaling.bound(None if max is None else _count(max), None if min is None else _count(min))
    return ok(f"autoscale now max={scaling.most} min={scaling.least}")
