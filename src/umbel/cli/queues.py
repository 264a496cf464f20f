"""`umbel queues`: how full each queue is."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import click
import msgspec

from umbel.cli import complete
from umbel.cli.command import command, option, some_names
from umbel.cli.scope import Scope, broker_of
from umbel.cli.screen import age, drawn, print_json, table
from umbel.stores.broker import Broker, Depth

COLUMNS = ("queue", "ready", "held", "later", "dead", "oldest")


@command("queues")
@option(
    "-Q",
    "--queues",
    "chosen",
    type=some_names,
    shell_complete=complete.queues,
    metavar="NAMES",
    help="Only these, with commas between.",
)
@option("-a", "--all", "every", is_flag=True, help="Also the queue by which workers tell each other of chords.")
@option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs.")
@option("--watch", is_flag=True, help="Look again each second, until Ctrl-C.")
@click.pass_obj
def queues(scope: Scope, /, chosen: Sequence[str] | None, every: bool, as_json: bool, watch: bool) -> None:
    """Show how full each queue is.

    \b
    ready    waits for a worker       oldest   how long the oldest of these has waited
    held     is in a worker's hands   later    waits for its time (eta, countdown, retry)
    dead     was given up: see `umbel dead`

    Shown are the queues that the app's settings name, and all that hold anything.
    """
    with broker_of(scope) as broker:
        if watch:
            _watch(scope, broker, chosen, every=every)
            return
        known = scope.app.queues() if scope.app_name else ()
        depths = _look(scope, broker, chosen, known, every=every)
        if as_json:
            print_json({name: msgspec.structs.asdict(depth) for name, depth in depths.items()})
            return
        if depths:
            table(COLUMNS, _rows(depths), right=5, color=scope.color)
        if not any(each.ready or each.held or each.later or each.dead for each in depths.values()):
            click.echo(f"nothing waits at {broker.url}")


def _look(
    scope: Scope, broker: Broker, names: Sequence[str] | None, known: Sequence[str] = (), *, every: bool
) -> dict[str, Depth]:
    """How full these are; none named: those that are known, and all that hold anything, of the hidden one only what is dead."""
    depths = broker.depth(names or [*dict.fromkeys((*known, *broker.queues()))])
    if names or every:
        return depths
    return {name: depth for name, depth in depths.items() if depth.dead or not scope.app.hides(name)}


def _rows(depths: Mapping[str, Depth]) -> list[tuple[str, ...]]:
    rows = [(name, *_cells(depth)) for name, depth in depths.items()]
    if len(rows) > 1:
        rows.append(("all", *_cells(_sum(depths))))
    return rows


def _cells(depth: Depth) -> tuple[str, ...]:
    return (*(f"{number:,}" for number in (depth.ready, depth.held, depth.later, depth.dead)), age(depth.oldest))


def _sum(depths: Mapping[str, Depth]) -> Depth:
    every = depths.values()
    oldest = max((depth.oldest for depth in every if depth.oldest is not None), default=None)
    ready, held = sum(depth.ready for depth in every), sum(depth.held for depth in every)
    return Depth(ready, held, sum(depth.later for depth in every), sum(depth.dead for depth in every), oldest)


def _watch(scope: Scope, broker: Broker, names: Sequence[str] | None, *, every: bool) -> None:
    if not sys.stdout.isatty():
        raise click.UsageError("--watch needs a terminal; use --json where a program reads")
    from rich.console import Console
    from rich.live import Live

    console = Console(no_color=scope.color is False)
    with suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(drawn(COLUMNS, _rows(_look(scope, broker, names, every=every)), right=5), refresh=True)
            time.sleep(1.0)
