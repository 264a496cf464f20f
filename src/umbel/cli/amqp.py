"""`umbel amqp`: says what does the work of Celery's shell for RabbitMQ."""

from __future__ import annotations

import click

from umbel import guise
from umbel.cli.command import command
from umbel.cli.failure import FAILED, Failure
from umbel.cli.scope import Scope

INSTEAD = {
    "queue.purge": "umbel purge -Q NAME",
    "queue.delete": "umbel purge -Q NAME; a queue that nobody uses is forgotten by itself",
    "queue.declare": "nothing needs to be declared: a queue is there once something is sent to it",
    "queue.bind": "nothing needs to be bound: task_queues says which exchange and key lead to a queue",
    "exchange.declare": "nothing needs to be declared",
    "exchange.delete": "nothing needs to be deleted",
    "basic.publish": "umbel call TASK --queue NAME",
    "basic.get": "umbel queues, and umbel dead list",
    "basic.ack": "umbel purge -Q NAME",
}


@command("amqp", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
@click.pass_obj
def amqp(scope: Scope, /, words: tuple[str, ...]) -> None:
    """Celery's shell for RabbitMQ servers. Messages are elsewhere here: this says which command does what you want."""
    program = guise.worn().program
    there = {name: instead.replace("umbel ", f"{program} ") for name, instead in INSTEAD.items()}
    if words and words[0] in there:
        raise Failure(f"no RabbitMQ server is used here; instead of {words[0]}: {there[words[0]]}", FAILED)
    told = "; ".join(f"{name}: {instead}" for name, instead in there.items() if instead.startswith(program))
    raise Failure(f"no RabbitMQ server is used here. What it would be asked for does: {told}", FAILED)
