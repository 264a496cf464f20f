"""Events: whether a worker tells of its tasks, and that it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel.worker.control.panel import control_command, ok

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State


@control_command()
async def enable_events(state: State, **_: Any) -> dict[str, Any]:
    """Tell worker(s) to send task-related events."""
    return ok("task events enabled" if state.worker.events.on() else "task events already enabled")


@control_command()
async def disable_events(state: State, **_: Any) -> dict[str, Any]:
    """Tell worker(s) to stop sending task-related events."""
    return ok("task events disabled" if state.worker.events.off() else "task events already disabled")


@control_command()
async def heartbeat(state: State, **_: Any) -> None:
    """Tell worker(s) to send event heartbeat immediately."""
    state.worker.events.beat()
