"""`umbel purge`: delete what waits."""

from __future__ import annotations

from collections.abc import Sequence

import click

from umbel.cli import complete
from umbel.cli.command import command, names, option, some_names
from umbel.cli.scope import Scope, broker_of
from umbel.cli.screen import confirm, count


@command("purge")
@option("-f", "--force", is_flag=True, help="Do not ask.")
@option(
    "-Q",
    "--queues",
    "chosen",
    type=some_names,
    shell_complete=complete.queues,
    metavar="NAMES",
    help="Only these queues, with commas between.",
)
@option("-X", "--exclude-queues", "exclude", type=names, default="", metavar="NAMES", help="All but these.")
@click.pass_obj
def purge(scope: Scope, /, force: bool, chosen: Sequence[str] | None, exclude: Sequence[str]) -> None:
    """Delete all tasks that wait in the app's queues: those that are ready, and those that wait for their time.

    What workers hold, and what is dead, stays. There is no way back. Without an app, all queues of the broker are meant.
    """
    app = scope.app
    with broker_of(scope) as broker:
        there = broker.queues()
        known = app.queues() if scope.app_name else there
        depths = broker.depth([name for name in chosen or known if name not in exclude])
        full = [name for name, depth in depths.items() if depth.ready + depth.later]
        waiting = sum(depth.ready + depth.later for depth in depths.values())
        if full and not force:
            confirm(f"Delete {count(waiting, 'task')} from {', '.join(full)} at {broker.url}?")
        gone = sum(broker.purge(name) for name in full)
        others = [name for name in there if name not in known and name not in exclude and not app.hides(name)]
    if not scope.quiet:
        click.echo(f"deleted {count(gone, 'task')} from {', '.join(full)}" if full else f"nothing was waiting at {broker.url}")
        if others and not chosen:
            click.echo(f"not touched, since the settings do not name them: {', '.join(others)} (name them with -Q)")
