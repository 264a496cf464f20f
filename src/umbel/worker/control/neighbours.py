"""What Celery's workers say to each other, answered so that they may live beside umbel's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel import guise
from umbel.wire.brief import brief
from umbel.worker.control.panel import control_command, inspect_command
from umbel.worker.control.revoking import revoked_ids

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State

log = guise.logger("umbel.worker.control")


def greeting(hostname: str, owner: str) -> dict[str, Any]:
    """What a worker says when it begins to those of its own name, if there are any: there should be none."""
    return {"from_node": hostname, "owner": owner}


@inspect_command(visible=False)
def hello(
    state: State, from_node: str, revoked: Any = None, owner: Any = None, is_answer: bool = False, **_: Any
) -> dict[str, Any] | None:
    """Request mingle sync-data."""
    if from_node == state.hostname:
        own = state.worker.broker.owner
        if owner and owner != own:
            log.warning(
                "Another worker is called %s, too (%s): give each a name of its own, with -n", from_node, brief(owner, 200)
            )
            if not is_answer:
                state.app.control.broadcast("hello", greeting(from_node, own) | {"is_answer": True}, destination=[from_node])
        return None
    return {"revoked": revoked_ids(state), "clock": state.app.clock.forward()}


@control_command()
def election(state: State, id: str = "", topic: str = "", action: Any = None, **_: Any) -> None:
    """Hold an election: umbel's workers stand for none, as schedules have one leader by the store."""
    log.debug("An election of %r on %r is not for umbel's workers", id, topic)
