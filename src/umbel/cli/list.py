"""`umbel list bindings`: the queues of the app, and what leads to them."""

from __future__ import annotations

import click

from umbel.cli.command import Command, option
from umbel.cli.scope import Scope, shared_options
from umbel.cli.screen import print_json, table
from umbel.client.app import Umbel


def bindings_of(app: Umbel) -> list[tuple[str, str, str]]:
    """Each queue that the settings name, with its exchange and the key that leads to it."""
    found = []
    for name, queue in app.router.queues.items():
        exchange = getattr(queue.exchange, "name", queue.exchange) or name
        found.append((name, str(exchange), queue.routing_key or name))
    return found


@click.group("list", params=shared_options(again=True), short_help="Show the queues of the app, with what leads to them.")
def list_() -> None:
    """Show what the app's messages go through."""


@list_.command("bindings", cls=Command)
@option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def bindings(scope: Scope, /, as_json: bool) -> None:
    """Show the queues that the settings name, with the exchange and the key that lead to each."""
    rows = bindings_of(scope.app_to_ask)
    if as_json:
        print_json([{"queue": queue, "exchange": exchange, "routing_key": key} for queue, exchange, key in rows])
    else:
        table(("queue", "exchange", "routing key"), rows, color=scope.color)


globals()["list"] = list_
