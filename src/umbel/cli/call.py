"""`umbel call`: send one task by name."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from umbel.cli import complete
from umbel.cli.command import Seconds, command, option
from umbel.cli.failure import USAGE, Failure
from umbel.cli.scope import Scope
from umbel.errors import UmbelError

Value = TypeVar("Value")


def arguments(text: str) -> list[Any]:
    """Positional arguments as a JSON list."""
    return _json(text, list, "list", "'[2, 3]'")


def named_arguments(text: str) -> dict[str, Any]:
    """Named arguments as a JSON object."""
    return _json(text, dict, "object", """'{"x": 2}'""")


def _json(text: str, kind: type[Value], what: str, example: str) -> Value:
    try:
        value = json.loads(text)
    except ValueError as problem:
        raise click.BadParameter(f"no JSON ({problem}); write it as {example}") from problem
    if not isinstance(value, kind):
        raise click.BadParameter(f"{text} is no {what}; write it as {example}")
    return value


def moment(text: str) -> datetime.datetime:
    """A time in ISO 8601; without a zone it is UTC, as in each call."""
    try:
        found = datetime.datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
    except ValueError as problem:
        raise click.BadParameter(f"{text!r} is no time; write it as 2030-01-31T12:00:00+01:00") from problem


def seconds_or_moment(text: str) -> float | datetime.datetime:
    """Seconds from now, or a time."""
    try:
        seconds = float(text)
    except ValueError:
        return moment(text)
    return float(Seconds(positive=False).convert(seconds, None, None))


@command("call")
@click.argument("name", shell_complete=complete.tasks)
@option("-a", "--args", type=arguments, metavar="JSON", default="[]", help="Positional arguments: '[2, 3]'.")
@option("-k", "--kwargs", type=named_arguments, metavar="JSON", default="{}", help="Named arguments.")
@option("--eta", type=moment, metavar="TIME", help="Run it then: 2030-01-31T12:00:00+01:00; without a zone it is UTC.")
@option("--countdown", type=Seconds(positive=False), metavar="SECONDS", help="Run it so much later.")
@option("--expires", type=seconds_or_moment, metavar="TIME|SECONDS", help="Do not run it after this.")
@option("--serializer", metavar="NAME", help="json, msgpack, yaml or pickle.")
@option("--queue", shell_complete=complete.queues, metavar="NAME", help="Send it to this queue.")
@option("--exchange", metavar="NAME", help="Send it through this exchange.")
@option("--routing-key", metavar="KEY", help="With this routing key.")
@click.pass_obj
def call(scope: Scope, /, name: str, args: list[Any], kwargs: dict[str, Any], **options: Any) -> None:
    """Send the task NAME, and print the id under which `umbel result` finds what became of it.

    The name is the one it was registered with, such as proj.tasks.add. The app need not know the task itself.
    """
    if not name:
        raise Failure("a task has a name, and this one is empty", USAGE)
    if options["eta"] is not None and options["countdown"] is not None:
        raise click.UsageError("--eta and --countdown say the same; give one", click.get_current_context())
    given = {key: value for key, value in options.items() if value is not None}
    with sensible():
        click.echo(scope.app.send_task(name, args, kwargs, **given).id)


@contextmanager
def sensible() -> Iterator[None]:
    """Says in one line what is wrong with the arguments or options of a call."""
    try:
        yield
    except (TypeError, ValueError) as problem:
        if isinstance(problem, UmbelError):
            raise
        raise Failure(str(problem)) from problem
