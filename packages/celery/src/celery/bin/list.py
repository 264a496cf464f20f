"""`celery list bindings`: the queues of the app, with their exchanges."""

from __future__ import annotations

from typing import Any

import click

from celery.bin._banner import exchange_of
from celery.bin.base import CeleryCommand


@click.group("list")
def list_() -> None:
    """Show what the app's messages go through."""


@list_.command("bindings", cls=CeleryCommand)
@click.pass_obj
def bindings(scope: Any, /) -> None:
    """Show the queues that the settings name, with the exchange and the key that lead to each."""
    rows = [("Queue", "Exchange", "Routing Key"), ("-" * 16,) * 3]
    for name in scope.app.queues():
        exchange, _, key = exchange_of(scope.app, name)
        rows.append((name, exchange, key))
    for row in rows:
        click.echo("".join(cell.ljust(29) for cell in row).rstrip())


globals()["list"] = list_


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
