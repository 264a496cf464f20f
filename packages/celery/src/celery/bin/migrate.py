"""`celery migrate`: brings what waits at one broker to another."""

from __future__ import annotations

import time
from typing import Any

import click

from celery.bin.base import COMMA_SEPARATED_LIST, CeleryCommand, CeleryOption
from umbel.cli.command import TIMEOUT
from umbel.cli.migrate import LEASE, bring_over
from umbel.stores.url import open_broker

PAUSE = 0.5
"""Seconds between two looks with --forever."""


@click.command("migrate", cls=CeleryCommand)
@click.argument("source")
@click.argument("destination")
@click.option("-n", "--limit", cls=CeleryOption, type=int, help="At most so many tasks.")
@click.option(
    "-t",
    "--timeout",
    cls=CeleryOption,
    type=TIMEOUT,
    default=1.0,
    help="How long to wait for tasks, in seconds.",
)
@click.option("-a", "--ack-messages", cls=CeleryOption, is_flag=True, help="Take them away from the source.")
@click.option("-T", "--tasks", cls=CeleryOption, type=COMMA_SEPARATED_LIST, help="Only tasks of these names.")
@click.option("-Q", "--queues", cls=CeleryOption, type=COMMA_SEPARATED_LIST, help="Only these queues.")
@click.option("-F", "--forever", cls=CeleryOption, is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.pass_obj
def migrate(scope: Any, /, source: str, destination: str, **how: Any) -> None:
    """Bring the tasks that wait at one broker to another; without -a they stay at the first one, too."""
    old, new = open_broker(source, lease=LEASE), open_broker(destination)
    chosen = {"queues": how["queues"], "tasks": how["tasks"], "keep": not how["ack_messages"]}
    left = how["limit"]
    try:
        while True:
            for each in bring_over(old, new, limit=left, **chosen):
                scope.echo(f"Migrating task {each.number}/{each.total}: {each.task}[{each.id}]")
            if not how["forever"] or chosen["keep"]:
                return
            time.sleep(PAUSE)
    finally:
        for broker in (old, new):
            broker.close()


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
