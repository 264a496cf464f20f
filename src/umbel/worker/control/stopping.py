"""Ending a worker from afar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel.worker.control.answers import Silence
from umbel.worker.control.panel import control_command

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State


@control_command()
async def shutdown(state: State, msg: str = "Got shutdown from remote", **_: Any) -> None:
    """Shutdown worker(s)."""
    state.worker.shut_down("a remote command")
    raise Silence
