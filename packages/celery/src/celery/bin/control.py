"""`celery inspect`, `control` and `status`: ask workers, and tell them what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from celery.bin.base import COMMA_SEPARATED_LIST, CeleryCommand, CeleryOption
from umbel.cli.asking import read_arguments
from umbel.cli.command import TIMEOUT
from umbel.cli.failure import NO_REPLY, USAGE, Failure, note
from umbel.client.remote.control import revocations, signal_name, stamp_revocations, stamps_in
from umbel.errors import BrokerDown

EX_UNAVAILABLE = NO_REPLY
PATIENCE = 1.0
"""Seconds that are waited if no time is given, or none that could be waited."""
NOBODY = "No nodes replied within time constraint"


def _options(command: Any) -> Any:
    for option in (
        click.option("-j", "--json", "as_json", cls=CeleryOption, is_flag=True, help="As JSON, for programs."),
        click.option(
            "-d", "--destination", cls=CeleryOption, type=COMMA_SEPARATED_LIST, metavar="NODES", help="Only these workers."
        ),
        click.option(
            "-t",
            "--timeout",
            cls=CeleryOption,
            type=TIMEOUT,
            default=1.0,
            metavar="SECONDS",
            help="How long to wait.",
        ),
    ):
        command = option(command)
    return command


def _listed(kind: str) -> Any:
    def show(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if not value:
            return
        from celery.worker.control import Panel

        rows = [
            (" ".join(filter(None, (name, info.signature or ""))), info.help or "")
            for name, info in sorted(Panel.meta.items())
            if info.type == kind and info.visible
        ]
        formatter = click.HelpFormatter()
        with formatter.section(f"{kind.capitalize()} Commands"):
            formatter.write_dl(rows)
        click.echo(formatter.getvalue(), nl=False)
        context.exit()

    return click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show what there is.")


def _command_of(scope: Any, kind: str, name: str) -> Any:
    """The command of that name; those of a project are known once its tasks are imported."""
    from celery.worker.control import Panel
    from umbel.worker.control.panel import commands

    for is_last in (False, True):
        found = commands.get(name)
        if found is not None and found.kind == kind:
            return found
        if not is_last:
            scope.app  # noqa: B018 - imports them
    there = ", ".join(sorted(each for each, info in Panel.meta.items() if info.type == kind and info.visible))
    raise click.UsageError(f"Command {name} not recognized. Available {kind} commands: {there}")


def _arguments_of(command: Any, given: Sequence[str]) -> dict[str, Any]:
    """The arguments as the command takes them. Celery passes over what is given to one that takes none, and so do scripts."""
    takes = [] if command.name == "active" else command.args  # which is umbel's own
    if given and not takes and not command.variadic:
        try:
            return read_arguments(command, given)
        except Failure:
            note(f"{' '.join(given)!r} is ignored: {command.name} takes nothing of that kind (workers are named with -d)")
            return {}
    return read_arguments(command, given)


def _ask(
    scope: Any, command: str, arguments: Mapping[str, Any], timeout: float, destination: Sequence[str] | None, callback: Any
) -> list[dict[str, Any]]:
    """All answers; a failure if nobody has given one."""
    try:
        control = scope.app_to_ask.control
        replies: list[dict[str, Any]] = control.broadcast(
            command, arguments=arguments, destination=destination or None, callback=callback, timeout=timeout, reply=True
        )
    except BrokerDown as error:
        raise Failure(f"Could not connect to the message broker: {error}", EX_UNAVAILABLE) from error
    if not replies:
        raise Failure(NOBODY, EX_UNAVAILABLE)
    return replies


def _teller(scope: Any, *, show_body: bool) -> Any:
    """What prints an answer as it comes."""

    def tell(reply: Mapping[str, Any]) -> None:
        (node, answer), *_ = reply.items()
        status, text = scope.pretty(answer)
        scope.say_chat("->", f" {node}: {status}", _indented(text, answer), show_body)

    return tell


def _indented(text: str, answer: Any) -> str:
    margin = " " * (8 if isinstance(answer, Mapping) and ("ok" in answer or "error" in answer) else 4)
    return "\n".join(f"{margin}{line}" for line in text.splitlines())


def _count(scope: Any, number: int) -> None:
    scope.echo(f"\n{number} {'node' if number == 1 else 'nodes'} online.")


@click.command("status", cls=CeleryCommand)
@_options
@click.pass_obj
def status(scope: Any, /, timeout: float, destination: list[str] | None, as_json: bool) -> None:
    """Show the workers that are online."""
    tell = None if as_json else _teller(scope, show_body=False)
    replies = _ask(scope, "ping", {}, timeout if timeout > 0 else PATIENCE, destination, tell)
    if as_json:
        scope.echo(json.dumps({name: answer for reply in replies for name, answer in reply.items()}, default=str))
    _count(scope, len(replies))


@click.command("inspect", cls=CeleryCommand, context_settings={"allow_extra_args": True})
@click.argument("command", metavar="COMMAND")
@_options
@_listed("inspect")
@click.pass_context
def inspect(context: click.Context, /, command: str, timeout: float, destination: list[str] | None, as_json: bool) -> None:
    """Ask workers. `--list` shows what."""
    scope: Any = context.obj
    asked = _command_of(scope, "inspect", command)
    arguments = _arguments_of(asked, context.args)
    wait = timeout if timeout > 0 else asked.default_timeout
    replies = _ask(scope, command, arguments, wait, destination, None if as_json else _teller(scope, show_body=not scope.quiet))
    if as_json:
        scope.echo(json.dumps({name: answer for reply in replies for name, answer in reply.items()}, default=str))
        return
    _count(scope, len(replies))


@click.command("control", cls=CeleryCommand, context_settings={"allow_extra_args": True})
@click.argument("command", metavar="COMMAND")
@_options
@_listed("control")
@click.pass_context
def control(context: click.Context, /, command: str, timeout: float, destination: list[str] | None, as_json: bool) -> None:
    """Tell workers what to do. `--list` shows what."""
    scope: Any = context.obj
    told = _command_of(scope, "control", command)
    arguments = _arguments_of(told, context.args)
    _remember(scope, told.name, arguments)
    tell = None if as_json else _teller(scope, show_body=True)
    replies = _ask(scope, command, arguments, timeout if timeout > 0 else told.default_timeout, destination, tell)
    if as_json:
        scope.echo(json.dumps(replies, default=str))


def _remember(scope: Any, name: str, arguments: dict[str, Any]) -> None:
    """What is revoked is left in the store first, for workers that are started later, too."""
    app = scope.app_to_ask
    try:
        if name in ("revoke", "terminate"):
            how = signal_name(arguments.get("signal") or "SIGTERM") if name == "terminate" else None
            kept = revocations(arguments.get("task_id") or (), how)
        elif name == "revoke_by_stamped_headers":
            kept = stamp_revocations(stamps_in(arguments.get("headers") or ()), None)
        else:
            return
    except ValueError as problem:
        raise Failure(str(problem), USAGE) from None
    app.broker.revoke(kept, app.conf.task_revoke_ttl)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
