"""`umbel control`: tell workers what to do."""

from __future__ import annotations

from collections.abc import Sequence

import click

from umbel.cli.answers import show
from umbel.cli.asking import ask, asking_options, find, is_wrong, merged, read_arguments, show_list
from umbel.cli.command import command
from umbel.cli.failure import FAILED, NO_REPLY, USAGE, Failure
from umbel.cli.scope import Scope
from umbel.cli.screen import count, print_json
from umbel.client.remote.broadcast import Broadcast
from umbel.client.remote.control import revocations, signal_name, stamp_revocations, stamps_in

_SILENT = frozenset({"shutdown"})
"""Commands that nobody answers."""


@command("control")
@asking_options("Show what there is to tell.")
@click.pass_obj
def control(
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
    """Tell all workers, or some, what to do from now on.

    \b
    umbel -A proj control pool_grow 2 -d w1@host   run two more tasks at once
    umbel -A proj control rate_limit proj.mail 10/m
    umbel -A proj control cancel_consumer mail     pause a queue; add_consumer goes on
    umbel -A proj control shutdown                 finish what runs, and stop
    umbel control --list                           what else there is

    Exit code 69: nobody has answered.
    """
    if listed:
        show_list("control")
        return 0
    if what is None:
        raise Failure("what are they to do? pool_grow, rate_limit, shutdown ...: see --list", USAGE)
    told = find(scope, "control", what)
    arguments = read_arguments(told, rest)
    _remember(scope, told.name, arguments)
    if told.name in _SILENT:
        return _order(scope, told.name, destination, pattern)
    replies = ask(scope, what, arguments, timeout=timeout, destination=destination, pattern=pattern)
    found = merged(replies)
    if as_json:
        print_json(found)
    else:
        show(told.name, found, color=scope.color)
    return FAILED if any(is_wrong(answer) for answer in found.values()) else 0


def _remember(scope: Scope, name: str, arguments: dict[str, object]) -> None:
    """What is revoked is left in the store first, for workers that are started later, too."""
    app = scope.app_to_ask
    if name in ("revoke", "terminate"):
        how = _signal(str(arguments.get("signal") or "SIGTERM")) if name == "terminate" else None
        ids = arguments.get("task_id") or ()
        if not ids:
            raise Failure("which tasks? Write their ids behind it", USAGE)
        assert isinstance(ids, list)
        app.broker.revoke(revocations(ids, how), app.conf.task_revoke_ttl)
    elif name == "revoke_by_stamped_headers":
        headers = arguments.get("headers") or ()
        if not headers:
            raise Failure("which stamps? Write name=value behind it", USAGE)
        assert isinstance(headers, list)
        try:
            stamps = stamps_in(headers)
        except ValueError as problem:
            raise Failure(str(problem), USAGE) from None
        app.broker.revoke(stamp_revocations(stamps, None), app.conf.task_revoke_ttl)


def _signal(text: str) -> str:
    try:
        return signal_name(text)
    except ValueError as problem:
        raise Failure(str(problem), USAGE) from None


def _order(scope: Scope, name: str, destination: Sequence[str] | None, pattern: str | None) -> int:
    app = scope.app_to_ask
    reached = Broadcast(app, name, destination=destination or None, pattern=pattern).send()
    if not reached:
        raise Failure(f"no worker listens at {app.channel.url}", NO_REPLY)
    if not scope.quiet:
        whom = ", ".join(destination) if destination else count(reached, "listener")
        click.echo(f"told {whom}; nobody answers {name}")
    return 0
