"""Which queues a worker serves, changed while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel.wire.brief import brief
from umbel.worker.control.panel import control_command, ok

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State


@control_command(
    args=[("queue", str), ("exchange", str), ("exchange_type", str), ("routing_key", str)],
    signature="<queue> [exchange [type [routing_key]]]",
)
async def add_consumer(
    state: State,
    queue: str,
    exchange: str | None = None,
    exchange_type: str | None = None,
    routing_key: str | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Tell worker(s) to consume from task queue by name."""
    from umbel.messages.options import queue_name  # here, as the command line does without

    _check(queue)
    try:
        queue_name(queue)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"the queue {problem}") from None
    served = state.worker.fetch.queues
    if queue in served:
        return ok(f"already consuming from {queue!r}")
    state.worker.fetch.serve([*served, queue])
    return ok(f"add consumer {queue}")


@control_command(args=[("queue", str)], signature="<queue>")
async def cancel_consumer(state: State, queue: str, **_: Any) -> dict[str, Any]:
    """Tell worker(s) to stop consuming from task queue by name."""
    _check(queue)
    state.worker.fetch.serve([name for name in state.worker.fetch.queues if name != queue])
    return ok(f"no longer consuming from {queue}")


def _check(queue: object) -> None:
    """Refuse what is no name of a queue, whoever has sent it."""
    if not isinstance(queue, str):
        raise TypeError(f"the queue is to be a name, and not {brief(queue, 100)}")
