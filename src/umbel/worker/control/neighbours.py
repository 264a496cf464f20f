"""What Celery's workers say to each other, answered so that they may live beside umbel's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel import guise
from umbel.worker.control.panel import control_command, inspect_command
from umbel.worker.control.revoking import revoked_ids

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State

log = guise.logger("umbel.worker.control")


@inspect_command(visible=False)
def hello(state: State, from_node: str, revoked: Any = None, **_: Any) -> dict[str, Any] | None:
    """Request mingle sync-data."""
    if from_node == state.hostname:
        return None
    return {"revoked": revoked_ids(state), "clock": state.app.clock.forward()}


@control_command()
def election(state: State, id: str = "", topic: str = "", action: Any = None, **_: Any) -> None:
    """Hold an election: umbel's workers stand for none, as schedules have one leader by the store."""
    log.debug("An election of %r on %r is not for umbel's workers", id, topic)
