"""`celery purge`: deletes what waits."""

from __future__ import annotations

from typing import Any

import click

from celery.bin.base import COMMA_SEPARATED_LIST, CeleryCommand, CeleryOption
from umbel.cli.failure import Failure
from umbel.cli.scope import broker_of


@click.command("purge", cls=CeleryCommand)
@click.option("-f", "--force", cls=CeleryOption, is_flag=True, help="Do not ask.")
@click.option("-Q", "--queues", cls=CeleryOption, type=COMMA_SEPARATED_LIST, metavar="NAMES", help="Only these queues.")
@click.option("-X", "--exclude-queues", cls=CeleryOption, type=COMMA_SEPARATED_LIST, metavar="NAMES", help="All but these.")
@click.pass_obj
def purge(scope: Any, /, force: bool, queues: list[str] | None, exclude_queues: list[str] | None) -> None:
    """Delete all tasks that wait in the app's queues. There is no way back."""
    names = [name for name in queues or scope.app.queues() if name not in (exclude_queues or ())]
    if not names:
        click.echo("No queues to purge.")
        return
    if not force:
        click.secho(f"This deletes all tasks that wait in {', '.join(sorted(names))}. There is no way back.", fg="red")
        try:
            is_sure = click.confirm("Are you sure you want to delete all tasks?")
        except click.Abort:
            click.echo()  # its question stands there still
            is_sure = False
        if not is_sure:
            raise Failure("nothing is deleted (-f does not ask)")
    with broker_of(scope) as broker:
        gone = sum(broker.purge(name) for name in names)
    known = f"{len(names)} known task {'queue' if len(names) == 1 else 'queues'}"
    if gone:
        click.echo(f"Purged {gone} {'message' if gone == 1 else 'messages'} from {known}.")
    else:
        click.echo(f"No messages purged from {len(names)} {'queue' if len(names) == 1 else 'queues'}.")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
