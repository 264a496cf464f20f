"""The program `umbel`: its options, its commands (each imported when it is called), and the border where errors become lines."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from umbel import guise
from umbel.cli import early
from umbel.cli.command import COMMANDS
from umbel.cli.early import Leave
from umbel.cli.failure import FAILED, INTERRUPTED, USAGE, explain
from umbel.cli.scope import Scope, shared_options
from umbel.cli.words import elsewhere

if TYPE_CHECKING:
    from umbel.client.app import Umbel


WITH_USER_OPTIONS = ("worker", "beat")
"""Commands that an app may give options of its own, in `app.user_options`."""


def offered(scope: Scope, command: click.Command, rest: Sequence[str]) -> click.Command:
    """A command with the options that the app has for it.

    Not one that goes into the background: what an app starts when it is imported would be lost there.
    """
    if command.name in WITH_USER_OPTIONS and {"-D", "--detach"}.isdisjoint(rest):
        if command.name == "worker":
            early.listen({signal.SIGTERM: 0, signal.SIGINT: INTERRUPTED, signal.SIGQUIT: FAILED})  # as it does itself
            early.remember(signal.SIGHUP)
        return scope.with_user_options(command, rest)
    return command


class Commands(click.Group):
    """The commands by name; one is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """That command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        with early.Undisturbed():
            found: click.Command = getattr(import_module(f"umbel.cli.{cmd_name}"), cmd_name)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """That command; an unknown name is told with the nearest known one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            instead = elsewhere(name)
            if instead:
                raise click.UsageError(f"umbel has no command {name!r}: {instead}", ctx)
            import difflib  # only mistakes need it

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {name!r}; {hint}", ctx)
        found, command, rest = super().resolve_command(ctx, args)
        return found, command and offered(ctx.obj, command, rest), rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in `--help`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        worn = guise.worn()
        click.echo(f"{worn.program} {worn.version}")
        context.exit()


@click.pass_context
def _program(context: click.Context) -> int | None:
    """Run tasks, and see what becomes of them.

    \b
    umbel -A proj worker          run the tasks of proj
    umbel -A proj call proj.add   send one
    umbel -A proj queues          see what waits
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help())
    return USAGE


program = Commands(
    "umbel",
    callback=_program,
    params=[
        *shared_options(),
        click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."),
    ],
    invoke_without_command=True,
    context_settings={
        "auto_envvar_prefix": guise.worn().program.upper(),
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    help=_program.__doc__,
    epilog="These options may also stand behind the command. `umbel COMMAND --help` tells more of each.",
)


def run(arguments: Sequence[str] | None = None, *, program: click.Command = program, scope: Scope | None = None) -> int:
    """Run one command line; gives the exit code. Whatever goes wrong is told in a line on stderr.

    A program of somebody else's may be made of umbel's commands, with a scope of its own.
    """
    try:
        with closing(scope or Scope()) as spoken:
            code = program.main(arguments, prog_name=guise.worn().program, standalone_mode=False, obj=spoken)
        if sys.stdout is not None:  # of a program that calls this, and was started without
            sys.stdout.flush()
    except Leave as leave:
        return leave.code
    except BrokenPipeError:
        # The reader (`head`) has gone; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (Exception, KeyboardInterrupt) as problem:
        return explain(problem)
    return code if isinstance(code, int) else 0


def start(app: Umbel, arguments: Sequence[str] | None = None) -> int:
    """Run one command line for this app (None: what stands behind the program's name); gives the exit code."""
    return run(arguments, scope=Scope(app))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and exit."""
    sys.exit(run(arguments))
