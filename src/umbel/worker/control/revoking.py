"""Letting tasks not run, or ending those that do. The store remembers it, for workers that are started later, too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from umbel.client.remote.control import STAMP, revocations, signal_name, stamp_revocations, stamps_in
from umbel.worker.control.panel import control_command, inspect_command, ok

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.stores.broker import Revocation
    from umbel.worker.control.state import State

MOST = 10_000
"""Revoked ids in one answer: the last ones."""


def _ids(given: Any) -> list[str]:
    ids = list(given or ()) if isinstance(given or (), (list, tuple, set, frozenset)) else [given]
    if not all(isinstance(each, str) for each in ids):
        raise ValueError("task ids are text")
    return ids


async def _keep(state: State, revocations: list[Revocation]) -> None:
    """In the store, unless whoever has asked has done that already; and look at once at what is in hand."""
    import asyncio  # here, as the command line does without

    loop = asyncio.get_running_loop()
    worker, request = state.worker, state.request
    if request is None or not request.is_kept:
        ttl = state.app.conf.task_revoke_ttl
        await loop.run_in_executor(None, partial(worker.broker.revoke, revocations, ttl))
    worker.revoked.heed(revocations)


@control_command(
    args=[("task_id", str)],
    signature="[id1 [id2 [... [idN]]]]",
    variadic="task_id",
)
async def revoke(
    state: State, task_id: Any, terminate: bool = False, signal: str | int | None = None, **_: Any
) -> dict[str, Any]:
    """Revoke task by task id (or list of ids)."""
    ids = _ids(task_id)
    name = signal_name(signal or "SIGTERM") if terminate else None
    known = {ticket.id for ticket in state.worker.book.values()} if terminate else set()
    await _keep(state, revocations(ids, name))
    if not terminate:
        return ok(f"tasks {set(ids)} flagged as revoked")
    found = [id for id in ids if id in known]
    return ok(f"terminate: {', '.join(found) or 'tasks unknown'}")


@control_command(args=[("signal", str), ("task_id", str)], signature="<signal> [id1 [id2 [... [idN]]]]", variadic="task_id")
async def terminate(state: State, signal: str | int, task_id: Any, **_: Any) -> dict[str, Any]:
    """Terminate task by task id (or list of ids)."""
    return await revoke(state, task_id, terminate=True, signal=signal)


@control_command(args=[("headers", str)], signature="[key1=value1 [key2=value2 [... [keyN=valueN]]]]", variadic="headers")
async def revoke_by_stamped_headers(
    state: State, headers: Any, terminate: bool = False, signal: str | int | None = None, **_: Any
) -> dict[str, Any]:
    """Revoke task by header (or list of headers)."""
    wanted = stamps_in(headers)
    name = signal_name(signal or "SIGTERM") if terminate else None
    await _keep(state, stamp_revocations(wanted, name))
    if terminate:
        return ok(f"headers {wanted} revoked")
    return ok(f"headers {wanted} flagged as revoked, but not terminated")


@inspect_command(alias="dump_revoked")
def revoked(state: State, **_: Any) -> list[str]:
    """List of revoked task-ids."""
    return revoked_ids(state)


def revoked_ids(state: State) -> list[str]:
    """Those that the store knows, the last `MOST`."""
    _, found = state.worker.broker.revocations(0)
    return [each.id for each in found if not each.id.startswith(STAMP)][-MOST:]
