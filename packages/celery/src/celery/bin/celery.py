"""The program `celery`: its options, its commands (each imported when it is called), and those of other packages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from celery import VERSION_BANNER
from celery.bin.base import CLIContext, renamed
from umbel.cli.command import COMMANDS as UMBELS
from umbel.cli.failure import USAGE, Failure
from umbel.cli.main import offered
from umbel.cli.main import run as run_line
from umbel.cli.scope import shared_options

GROUP = "celery.commands"
"""Entry points of packages that bring commands."""

COMMANDS = {
    "amqp": ("amqp", "Say what does the work of a shell for RabbitMQ."),
    "beat": ("beat", "Send periodic work when it is due, until told to stop."),
    "call": ("call", "Send a task by name, and print its id."),
    "control": ("control", "Tell workers what to do."),
    "events": ("events", "Watch workers and tasks, live."),
    "graph": ("graph", "Draw the parts of a worker, or the workers."),
    "inspect": ("control", "Ask workers what they do."),
    "list": ("list", "Show the queues of the app, with their exchanges."),
    "logtool": ("logtool", "Read the logs of workers."),
    "migrate": ("migrate", "Bring tasks from one broker to another."),
    "multi": ("multi", "Start and stop several workers."),
    "purge": ("purge", "Delete all tasks that wait in the app's queues."),
    "report": ("report", "Show versions and settings, for a bug report."),
    "result": ("result", "Print the result of a task, once it has ended."),
    "shell": ("shell", "Open a Python shell that knows the app and its tasks."),
    "status": ("control", "Show which workers there are."),
    "upgrade": ("upgrade", "Rewrite old names of settings."),
    "worker": ("worker", "Run tasks until told to stop."),
}
"""The module of `celery.bin` in which the command of that name is, and what it does."""
BESIDE = ("schedule", "revoke", "queues", "dead", "recover", "completion")
"""Commands of umbel's that Celery does not have."""


UNABLE_TO_LOAD_APP_MODULE_NOT_FOUND = "Unable to load celery application.\nThe module {0} was not found."
UNABLE_TO_LOAD_APP_ERROR_OCCURRED = "Unable to load celery application.\nWhile trying to load the module {0} this happened:\n{1}"
UNABLE_TO_LOAD_APP_APP_MISSING = "Unable to load celery application.\n{0}"
WRONG_APP_OPTION_USAGE_MESSAGE = "-A is an option of `celery` itself; it may also stand behind the command."


class Program(click.Group):
    """The commands by name: ours, those that were added, and those that installed packages bring."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of one command line, with something to speak of."""
        if extra.get("obj") is None:
            extra["obj"] = CLIContext(None, no_color=False, workdir=None)
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return [*sorted({*COMMANDS, *self.commands, *(point.name for point in _brought())}), *BESIDE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """That command, imported now."""
        added = self.commands.get(cmd_name)
        if added is not None:
            return added
        if cmd_name in COMMANDS:
            found: click.Command = getattr(import_module(f"celery.bin.{COMMANDS[cmd_name][0]}"), cmd_name)
            return found
        if cmd_name in BESIDE:
            found = getattr(import_module(f"umbel.cli.{cmd_name}"), cmd_name)
            found.help = renamed(found.help)
            return found
        brought = next(iter(_brought(name=cmd_name)), None)
        return None if brought is None else _loaded(brought)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """That command; an unknown name is told with the nearest known one."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            import difflib  # only mistakes need it

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and offered(ctx.obj, command, rest), rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in `--help`, without importing ours."""
        rows = {name: text for name, (_, text) in COMMANDS.items()}
        for name in self.list_commands(ctx):
            if name not in rows and name not in BESIDE:
                try:
                    command = self.get_command(ctx, name)
                except Failure as problem:
                    rows[name] = str(problem)
                else:
                    rows[name] = command.get_short_help_str() if command else ""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))
        with formatter.section("Commands that Celery does not have"):
            formatter.write_dl([(name, UMBELS[name]) for name in BESIDE])


def _brought(**which: str) -> Any:
    from importlib.metadata import entry_points  # a sixth of a second, for commands that are not ours

    return entry_points(group=GROUP, **which)


def _loaded(point: Any) -> click.Command:
    try:
        found: click.Command = point.load()
    except Exception as problem:
        told = f"{type(problem).__name__}: {problem}"
        raise Failure(f"the command {point.name!r} of {point.value} cannot be imported: {told}") from problem
    return found


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        click.echo(VERSION_BANNER)
        context.exit()


def _loader(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        context.obj.loader = value
        os.environ["CELERY_LOADER"] = value  # for apps that name none; they are made when the module with the app is imported


def _skip_checks(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ["CELERY_SKIP_CHECKS"] = "true"


def _options() -> list[click.Option]:
    shared = shared_options()
    shared[0].type = click.UNPROCESSED  # a program may put its app here, in place of a name
    return [
        *shared,
        click.Option(["--loader"], callback=_loader, expose_value=False, help="Class of the app's loader."),
        click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."),
        click.Option(
            ["--skip-checks"],
            is_flag=True,
            callback=_skip_checks,
            expose_value=False,
            help="Do not run the checks of a Django project.",
        ),
    ]


@click.pass_context
def _start(context: click.Context) -> None:
    """Run tasks, and see what becomes of them, by Celery's commands over umbel."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


celery = Program(
    "celery",
    callback=_start,
    params=_options(),
    invoke_without_command=True,
    context_settings={"auto_envvar_prefix": "CELERY", "help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=_start.__doc__,
    epilog="These options may also stand behind the command. `celery COMMAND --help` tells more of each.",
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; gives the exit code, which for one that cannot be read is Celery's, 2."""
    code = run_line(arguments, program=celery, scope=CLIContext(None, no_color=False, workdir=None))
    return 2 if code == USAGE else code


def main() -> int:
    """Run the command line of this program; gives the exit code."""
    return run()


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
