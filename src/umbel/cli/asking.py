"""What `umbel inspect`, `control` and `status` have in common: which command is meant, its arguments, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NoReturn

import click

from umbel import guise
from umbel.cli.command import Seconds, option, some_names
from umbel.cli.failure import NO_REPLY, USAGE, Failure
from umbel.cli.scope import Scope
from umbel.client.remote.broadcast import Reply
from umbel.errors import BrokerDown
from umbel.worker.control import answers
from umbel.worker.control.panel import Command, commands

with_timeout = option(
    *("-t", "--timeout"),
    type=Seconds(endless=True),
    default=1.0,
    metavar="SECONDS",
    help="How long to wait (1).",
)
"""Decorates a command that asks workers, and waits for their answers."""


def asking_options(to_list: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What both take: command and arguments, how long, whom, how it is shown; `to_list` says what --list does."""
    given = (
        click.argument("what", metavar="COMMAND", required=False),
        click.argument("rest", metavar="[ARGS]...", nargs=-1),
        with_timeout,
        option("-d", "--destination", type=some_names, metavar="WORKERS", help="Only these, with commas between."),
        option("-p", "--pattern", metavar="GLOB", help="Only those whose names fit: 'mail*'."),
        option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs."),
        option("--list", "listed", is_flag=True, help=to_list),
    )
    return lambda function: reduce(lambda made, add: add(made), reversed(given), function)


def known(kind: str) -> dict[str, Command]:
    """The commands of that kind that are for people, by name."""
    answers.load()
    return {name: each for name, each in sorted(commands.items()) if each.kind == kind and each.visible and name == each.name}


def find(scope: Scope, kind: str, name: str) -> Command:
    """The command of that name or alias; one of the user's own may be in a module with tasks, which is imported then."""
    answers.load()
    for is_last in (False, True):
        command = commands.get(name)
        if command is not None and command.kind == kind:
            return command
        if not is_last and scope.app_name:
            scope.app  # noqa: B018 - imports them
    return _unknown(kind, name, command)


def _unknown(kind: str, name: str, found: Command | None) -> NoReturn:
    program = guise.worn().program
    if found is not None:
        raise Failure(f"{name!r} is for `{program} {found.kind}`", USAGE)
    import difflib  # only mistakes need it

    there = known(kind)
    near = difflib.get_close_matches(name, there, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(there)}"
    raise Failure(f"no command {name!r} for workers; {hint}", USAGE)


def read_arguments(command: Command, given: Sequence[str]) -> dict[str, Any]:
    """The arguments as the command takes them; a failure tells what it takes."""
    rest, read = list(given), {}
    for name, kind in command.args:
        if name == command.variadic:
            read[name] = [_value(command, name, kind, text) for text in rest]
            return read
        if not rest:
            break
        read[name] = _value(command, name, kind, rest.pop(0))
    if command.variadic and command.variadic not in read:
        read[command.variadic] = rest
        return read
    if rest:
        raise Failure(f"{rest[0]!r} is too much: write {command.name} {command.signature or ''}".rstrip(), USAGE)
    return read


def _value(command: Command, name: str, kind: Any, text: str) -> Any:
    if kind is bool:
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise Failure(f"{name} is {text!r}, and should be true or false", USAGE)
        return text.lower() in ("true", "yes", "1")
    try:
        return text if kind in (None, str) else kind(text)
    except (TypeError, ValueError):
        raise Failure(f"{name} is {text!r}: write {command.name} {command.signature or ''}".rstrip(), USAGE) from None


def ask(
    scope: Scope,
    command: str,
    arguments: dict[str, Any],
    *,
    timeout: float,
    destination: Sequence[str] | None = None,
    pattern: str | None = None,
    needed: bool = True,
) -> list[Reply]:
    """The answers of all workers; a failure if there is none, and one is `needed`."""
    app = scope.app_to_ask
    whom: dict[str, Any] = {"destination": destination or None, "pattern": pattern}
    try:
        replies: list[Reply] = app.control.broadcast(command, arguments=arguments, reply=True, timeout=timeout, **whom)
    except BrokerDown as error:
        raise Failure(str(error), NO_REPLY) from error
    if not replies and needed:
        named = f" of {', '.join(destination)}" if destination else f" called {pattern}" if pattern else ""
        raise Failure(f"no worker{named} has answered at {app.channel.url}", NO_REPLY)
    return sorted(replies, key=lambda reply: next(iter(reply), ""))


def merged(replies: Sequence[Reply]) -> dict[str, Any]:
    """The answers by worker."""
    return {name: answer for reply in replies for name, answer in reply.items()}


def show_list(kind: str) -> None:
    """What there is to ask or to tell."""
    formatter = click.HelpFormatter(width=min(100, click.formatting.HelpFormatter().width + 20))
    formatter.write_dl([(f"{name} {each.signature or ''}".strip(), each.help) for name, each in known(kind).items()])
    click.echo(formatter.getvalue(), nl=False)


def is_wrong(answer: Any) -> bool:
    """True if a worker could not do what it was asked."""
    return isinstance(answer, dict) and "error" in answer
