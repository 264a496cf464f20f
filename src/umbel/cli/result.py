"""`umbel result`: what became of a task."""

from __future__ import annotations

from contextlib import suppress

import click

from umbel.cli.command import command, option
from umbel.cli.failure import FAILED, NO_REPLY, Failure
from umbel.cli.scope import Scope, backend_of
from umbel.errors import TimeoutError
from umbel.states import SUCCESS


@command("result")
@click.argument("task_id", metavar="ID")
@option("-t", "--task", "name", metavar="NAME", help="Name of the task, if it has a result backend of its own.")
@option("--traceback", is_flag=True, help="Show the traceback of a failure.")
@option("--wait", type=float, default=0.0, metavar="SECONDS", help="Wait so long for it to end.")
@click.pass_obj
def result(scope: Scope, /, task_id: str, name: str | None, traceback: bool, wait: float) -> int:
    """Print the result of the task with this ID.

    The exit code is 0 after a success, 1 after a failure, 69 as long as it has not ended.
    """
    app = scope.app
    backend_of(app)
    if name and name not in app.tasks:
        raise Failure(f"no task {name!r} in this app")
    found = app.tasks[name].AsyncResult(task_id) if name else app.AsyncResult(task_id)
    if wait > 0:
        with suppress(TimeoutError):
            found.get(timeout=wait, propagate=False)
    if not found.ready():
        click.echo(f"{found.state}: {'nothing is known of it yet' if found.state == 'PENDING' else 'it has not ended'}", err=True)
        return NO_REPLY
    if found.state == SUCCESS:
        click.echo(repr(found.result))
        return 0
    if traceback and found.traceback:
        click.echo(found.traceback.rstrip(), err=True)
    else:
        click.echo(f"{found.state}: {type(found.result).__name__}: {found.result}", err=True)
    return FAILED
