"""`umbel revoke`: let tasks not run."""

from __future__ import annotations

import click

from umbel.cli.command import command, option
from umbel.cli.failure import USAGE, Failure
from umbel.cli.scope import Scope, broker_of
from umbel.cli.screen import count
from umbel.client.remote.control import signal_name


def _signal(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return signal_name(value)
    except ValueError as problem:
        raise click.BadParameter(str(problem), context, parameter) from problem


@command("revoke")
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True)
@option("--terminate", is_flag=True, help="End those that run already, too.")
@option("--signal", metavar="NAME", default="SIGTERM", callback=_signal, help="With --terminate: how (SIGTERM).")
@click.pass_obj
def revoke(scope: Scope, /, task_ids: tuple[str, ...], terminate: bool, signal: str) -> None:
    """Let the tasks with these IDs not run: not now, not later, and not by a worker that is started later.

    The store remembers it until the task is met, or for task_revoke_ttl seconds. One that runs goes on, unless --terminate is
    given.
    """
    if not all(task_ids):
        raise Failure("an id is empty", USAGE)
    app = scope.app
    with broker_of(scope) as broker:
        app.control.revoke(task_ids, terminate=terminate, signal=signal)
        where = broker.url
    if not scope.quiet:
        click.echo(f"revoked {count(len(task_ids), 'task')} at {where}")
