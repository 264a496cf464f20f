"""`umbel result`: what became of a task, or of a saved group."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from umbel.cli.command import TIMEOUT, command, option
from umbel.cli.failure import FAILED, NO_REPLY, Failure
from umbel.cli.scope import Scope, backend_of
from umbel.cli.screen import follow as draw
from umbel.cli.screen import plain
from umbel.client.results.line import parts_of
from umbel.errors import BrokerRefused, TimeoutError
from umbel.states import PROPAGATE_STATES, STARTED, SUCCESS
from umbel.stores.backend import ResultBackend
from umbel.stores.join import OPEN

NAMED = 10
"""So many of the parts that are missing are named."""


@command("result")
@click.argument("task_id", metavar="ID")
@option("-t", "--task", "name", metavar="NAME", help="Name of the task, if it has a result backend of its own.")
@option("--traceback", is_flag=True, help="Show the traceback of a failure.")
@option("--wait", type=TIMEOUT, default=0.0, metavar="SECONDS", help="Wait so long for it to end.")
@option("-f", "--follow", is_flag=True, help="Show how far it is until it has ended (or for --wait SECONDS).")
@click.pass_obj
def result(scope: Scope, /, task_id: str, name: str | None, traceback: bool, wait: float, follow: bool) -> int:
    """Print the result of the task (or the saved group) with this ID.

    The exit code is 0 after a success, 1 after a failure, 69 as long as it has not ended.
    """
    app = scope.app
    backend = backend_of(app)
    if name and name not in app.tasks:
        raise Failure(f"no task {name!r} in this app")
    found: Any = app.tasks[name].AsyncResult(task_id) if name else app.AsyncResult(task_id)
    if not found.exists():
        found = _group(app, task_id) or found
    with suppress(TimeoutError, KeyboardInterrupt):
        if follow:
            draw(found, timeout=wait or None, color=scope.color)
        elif wait > 0:
            found.get(timeout=wait, propagate=False)
    if not found.ready():
        click.echo(_open(found, backend, task_id), err=True)
        return NO_REPLY
    return _show_group(found) if hasattr(found, "results") else _show(found, traceback=traceback)


def _show(found: Any, *, traceback: bool) -> int:
    if found.state == SUCCESS:
        click.echo(repr(found.result))
        return 0
    if traceback and found.traceback:
        click.echo(found.traceback.rstrip(), err=True)
    else:
        click.echo(f"{found.state}: {type(found.result).__name__}: {found.result}", err=True)
    return FAILED


def _show_group(found: Any) -> int:
    if found.successful():
        click.echo(repr(found.get(disable_sync_subtasks=False)))
        return 0
    for part in parts_of(found):
        if part.state in PROPAGATE_STATES:
            click.echo(f"{part.id} {part.state}: {type(part.result).__name__}: {part.result}", err=True)
    return FAILED


def _group(app: Any, id_: str) -> Any:
    try:
        return app.GroupResult.restore(id_)
    except BrokerRefused:  # a store that keeps no groups
        return None


def _open(found: Any, backend: ResultBackend, id_: str) -> str:
    """What is known of what has not ended."""
    if hasattr(found, "results"):
        missing = [part.id for part in found.missing()]
        return f"{found.progress} have ended; missing: {_named(missing)}"
    if found.exists():
        told = str(
            found.progress
            or ("" if found.info is None or found.state == STARTED else f"it has not ended, and says {found.info!r}")
        )
        return f"{found.state}: {plain(told) if told else 'it has not ended'}"
    return _chord(backend, id_) or f"{found.state}: nothing is known of it yet"


def _chord(backend: ResultBackend, id_: str) -> str | None:
    """How far the chord whose group has this id is."""
    try:
        parts = backend.parts(id_)
    except BrokerRefused:
        return None
    if parts is None:
        return None
    size = "an unknown number" if parts.size is None or parts.size >= OPEN else f"{parts.size}"
    if parts.is_whole:
        return f"a chord whose {size} parts have arrived: its body is to be sent"
    lost = ", and the store has lost others" if parts.is_damaged else ""
    return f"a chord that waits: {len(parts.arrived)} of {size} parts have arrived{lost}"


def _named(ids: list[str]) -> str:
    more = len(ids) - NAMED
    return ", ".join(ids[:NAMED]) + (f" and {more} more" if more > 0 else "")
