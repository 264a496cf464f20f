"""What every command is made of: its name and short help, options that the environment may give, umbel's own behind it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import click

from umbel.cli.scope import shared_options

COMMANDS = {
    "worker": "Run tasks until told to stop.",
    "beat": "Send periodic work when it is due, until told to stop.",
    "multi": "Start and stop several workers in the background.",
    "schedule": "Show what is sent when; add, change, run and remove it.",
    "call": "Send a task by name, and print its id.",
    "result": "Show what became of a task.",
    "revoke": "Let tasks not run, or end those that do.",
    "status": "Show which workers are alive, and how much they do.",
    "inspect": "Ask workers what they do.",
    "control": "Tell workers what to do.",
    "events": "Watch workers and tasks, live.",
    "queues": "Show how full each queue is.",
    "purge": "Delete all tasks that wait in queues.",
    "dead": "See to tasks that were given up: list, show, retry, drop.",
    "recover": "Give back what dead workers held.",
    "migrate": "Bring what waits at one broker to another.",
    "list": "Show the queues of the app, with what leads to them.",
    "shell": "Open a Python shell that knows the app and its tasks.",
    "graph": "Draw the parts of a worker, or the workers, for Graphviz.",
    "logtool": "Read the logs of workers: counts, errors, what has not ended.",
    "upgrade": "Rewrite old names of settings in a file.",
    "amqp": "Say what does the work of Celery's shell for RabbitMQ.",
    "report": "Show versions and settings, for a bug report.",
    "completion": "Print the script that completes commands in your shell.",
    "help": "Show what the program does, or what a command does.",
    "version": "Show the version.",
}
"""In the order in which a newcomer needs them. `umbel.cli.NAME.NAME` is the command."""


class Option(click.Option):
    """An option that also reads `UMBEL_<COMMAND>_<NAME>`, and Celery's `CELERY_<COMMAND>_<NAME>`."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The text in the environment, if any."""
        text = super().resolve_envvar_value(ctx)
        if text is None and self.name and ctx.auto_envvar_prefix:
            own = f"{ctx.auto_envvar_prefix}_{self.name}".upper()
            text = os.environ.get(own.replace("UMBEL_", "CELERY_", 1)) or None
        return text


class Seconds(click.FloatRange):
    """A number of seconds more than 0, or in another range (`min`, `min_open`); what is no number is none of them."""

    name = "seconds"

    def __init__(self, *, positive: bool = True, endless: bool = False):
        super().__init__(min=0 if positive else None, min_open=positive)
        self.endless = endless
        """True if it may be infinity, as in: wait for ever."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; asked once more of one that is converted already."""
        found = super().convert(value, param, ctx)
        if math.isnan(found) or (math.isinf(found) and not self.endless):
            self.fail(f"{str(value)!r} is no number of seconds", param, ctx)
        return found


TIMEOUT = Seconds(positive=False, endless=True)
"""How long to wait: not at all, or for ever, too."""


class Command(click.Command):
    """A command behind whose name umbel's own options may stand, too."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        taken = {name for parameter in self.params for name in parameter.opts}
        self.params += [option for option in shared_options(again=True) if taken.isdisjoint(option.opts)]


def command(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Makes a function the command of that name."""
    return click.command(name, cls=Command, short_help=COMMANDS.get(name), **attributes)


def option(*names: str, **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option of a command."""
    return click.option(*names, cls=Option, **attributes)


def names(text: str) -> tuple[str, ...]:
    """The names in a text that has commas between them; none in an empty text."""
    found = tuple(name for name in (part.strip() for part in text.split(",")) if name)
    if text.strip() and not found:
        raise click.BadParameter(f"{text!r} holds no name; write it as one,two")
    return found


def some_names(text: str) -> tuple[str, ...]:
    """The same, and at least one."""
    if not text.strip():
        raise click.BadParameter("it is empty; write it as one,two, or leave it out")
    return names(text)
