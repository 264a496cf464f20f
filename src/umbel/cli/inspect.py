"""`umbel inspect`: ask workers what they do."""

from __future__ import annotations

from collections.abc import Sequence

import click

from umbel.cli.answers import show
from umbel.cli.asking import ask, asking_options, find, merged, read_arguments, show_list
from umbel.cli.command import command
from umbel.cli.failure import FAILED, USAGE, Failure
from umbel.cli.scope import Scope
from umbel.cli.screen import print_json


@command("inspect")
@asking_options("Show what there is to ask.")
@click.pass_obj
def inspect(
    scope: Scope,
    /,
    what: str | None,
    rest: tuple[str, ...],
    timeout: float,
    destination: Sequence[str] | None,
    pattern: str | None,
    as_json: bool,
    listed: bool,
) -> int:
    """Ask all workers, or some. The answers are there as soon as all have given theirs.

    \b
    umbel -A proj inspect active            what runs, and for how long
    umbel -A proj inspect registered        the tasks that they know
    umbel -A proj inspect stats --json      all figures
    umbel inspect --list                    what else there is

    Exit code 69: nobody has answered. The tasks of the app are not imported.
    """
    if listed:
        show_list("inspect")
        return 0
    if what is None:
        raise Failure("what is to be asked? active, ping, stats ...: see --list", USAGE)
    asked = find(scope, "inspect", what)
    arguments = read_arguments(asked, rest)
    wait = max(timeout, asked.default_timeout) if timeout == 1.0 else timeout
    found = merged(ask(scope, what, arguments, timeout=wait, destination=destination, pattern=pattern))
    if as_json:
        print_json(found)
    else:
        show(asked.name, found, color=scope.color)
    return FAILED if all(isinstance(each, dict) and "error" in each for each in found.values()) else 0
