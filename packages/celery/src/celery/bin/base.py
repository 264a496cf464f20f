"""What commands are made of, those of other packages, too: Flower's derives from `CeleryCommand` and asks `CLIContext`."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import update_wrapper
from typing import Any, NoReturn

import click

from umbel import signals
from umbel.cli.command import Command, Option
from umbel.cli.failure import NO_REPLY, Failure, UserCodeFailed, note
from umbel.cli.scope import Scope
from umbel.client import current
from umbel.errors import ImproperlyConfigured

EX_UNAVAILABLE = NO_REPLY
UNLOADABLE = 2
"""Exit code if the app cannot be imported."""

GREEN_POOLS = ("gevent", "eventlet")


class CLIContext(Scope):
    """What a command speaks of, as `ctx.obj`: the app, and how to talk to who reads."""

    def __init__(self, app: Any, no_color: bool, workdir: str | None, quiet: bool = False):
        super().__init__()
        self.app_name = app
        self.color = False if no_color else None
        self.workdir = workdir
        self.quiet = quiet
        self.settings: Sequence[str] = ()
        """Those given behind the options, as `name=value`."""
        self.loader: str | None = None
        self.picks_pool = False
        """True if a pool is about to be made of what the settings say."""

    @property
    def no_color(self) -> bool:
        """True if there are to be no colours."""
        return self.color is False

    @property
    def colorize(self) -> bool:
        """False if there are to be no colours; else whoever writes looks whether there can be."""
        return not self.no_color

    def required_app(self, command: str) -> Any:
        """The app; without a name the one that a program without an app has."""
        return self.app

    @property
    def app_to_ask(self) -> Any:
        """The app with its settings only."""
        try:
            return super().app_to_ask
        except UserCodeFailed as failure:
            failure.code = UNLOADABLE
            raise

    def _load(self) -> Any:
        try:
            return super()._load()
        except UserCodeFailed as failure:
            failure.code = UNLOADABLE
            raise

    def _find(self) -> Any:
        if self.app_name is None:
            import celery.app.base  # noqa: F401 - it makes the app of a program that has none

            return current.app()
        if not isinstance(self.app_name, str):
            return self.app_name
        try:
            return super()._find()
        except ImproperlyConfigured as problem:
            raise Failure(f"Unable to load celery application: {problem}", UNLOADABLE) from problem

    def _configure(self, app: Any) -> None:
        super()._configure(app)
        if self.settings:
            try:
                app.config_from_cmdline(list(self.settings), namespace="worker")
            except Exception as problem:  # a loader, and converters, may be the project's own
                raise Failure(f"cannot take {' '.join(self.settings)!r} behind the options: {problem}", UNLOADABLE) from problem
        if self.picks_pool and app.conf.worker_pool in GREEN_POOLS:
            app.conf.from_command_line({"worker_pool": serving_pool(app.conf.worker_pool)})

    def show_worker(self, worker: Any, **how: Any) -> str:
        """The banner of a worker."""
        from celery.bin._banner import of_worker

        return of_worker(worker, tasks=how["tasks"], color=how["color"])

    def show_beat(self, app: Any, scheduler: str, **how: Any) -> str:
        """That of a beat."""
        from celery.bin._banner import of_beat

        return of_beat(app, scheduler, how.get("answers_as"))

    # For commands of others

    @property
    def OK(self) -> str:  # noqa: N802 - Celery's name
        """A green OK."""
        return self.style("OK", fg="green", bold=True)

    @property
    def ERROR(self) -> str:  # noqa: N802 - Celery's name
        """A red ERROR."""
        return self.style("ERROR", fg="red", bold=True)

    def style(self, message: Any = None, **kwargs: Any) -> str:
        """The text, coloured if that is wished."""
        return str(message) if self.no_color else click.style(str(message), **kwargs)

    def echo(self, message: Any = None, **kwargs: Any) -> None:
        """Print it."""
        click.echo(message, color=False if self.no_color else None, **kwargs)

    def secho(self, message: Any = None, **kwargs: Any) -> None:
        """Print it, coloured."""
        where = {key: kwargs.pop(key) for key in ("nl", "err", "file") if key in kwargs}
        self.echo(self.style("" if message is None else message, **kwargs), **where)

    def error(self, message: Any = None, **kwargs: Any) -> None:
        """Print it to stderr."""
        self.secho(message, err=True, **kwargs)

    def pretty(self, n: Any) -> tuple[str, str]:
        """A mark and a text for an answer of a worker's."""
        if isinstance(n, list):
            return self.OK, self.pretty_list(n)
        if isinstance(n, Mapping):
            return (
                self.pretty_dict_ok_error(n) if "ok" in n or "error" in n else (self.OK, json.dumps(n, sort_keys=True, indent=4))
            )
        from pprint import pformat  # a worker needs none

        return self.OK, n if isinstance(n, str) else pformat(n)

    def pretty_list(self, n: Sequence[Any]) -> str:
        """One line for each."""
        return "\n".join(f"* {each}" for each in n) if n else "- empty -"

    def pretty_dict_ok_error(self, n: Mapping[str, Any]) -> tuple[str, str]:
        """The answer inside a dict."""
        return (self.OK, self.pretty(n["ok"])[1]) if "ok" in n else (self.ERROR, self.pretty(n["error"])[1])

    def say_chat(self, direction: str, title: str, body: str = "", show_body: bool = False) -> None:
        """Print what went to a worker, or came from one."""
        if direction == "<-" and self.quiet:
            return
        self.echo(f"{direction} {title}")
        if body and show_body:
            self.echo(body)


class CeleryOption(Option):
    """An option that stands in a group of its own in `--help`, and may take its default from the context."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.help_group = kwargs.pop("help_group", None)
        self.default_value_from_context = kwargs.pop("default_value_from_context", None)
        super().__init__(*args, **kwargs)

    def get_default(self, ctx: click.Context, *args: Any, **kwargs: Any) -> Any:
        """Its default, if need be from `ctx.obj`."""
        if self.default_value_from_context:
            self.default = getattr(ctx.obj, self.default_value_from_context, None)
        return super().get_default(ctx, *args, **kwargs)


class DaemonOption(CeleryOption):
    """One of a program in the background, whose default is a setting: `worker_pidfile` for `worker --pidfile`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(
            *args, help_group=kwargs.pop("help_group", "Daemonization Options"), callback=self.daemon_setting, **kwargs
        )

    def daemon_setting(self, ctx: click.Context, opt: Any, value: Any) -> Any:
        """The value, else the setting."""
        if value is not None or ctx.obj is None:
            return value
        return getattr(ctx.obj.app.conf, f"{ctx.command.name}_{self.name}", None)


class CeleryCommand(Command):
    """A command: the options of `celery` itself may stand behind its name, too."""

    __signature__ = inspect.signature(click.Command)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its options in `--help`, by their groups."""
        groups: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups[getattr(parameter, "help_group", None) or "Options"].append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


class CeleryDaemonCommand(CeleryCommand):
    """One that may run in the background."""

    __signature__ = inspect.signature(lambda *args, **kwargs: None)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for names in (("--logfile", "-f"), ("--pidfile",), ("--uid",), ("--gid",), ("--umask",), ("--executable",)):
            self.params.append(DaemonOption(names))


def derived(own: click.Command, callback: Callable[..., Any], *params: click.Parameter, **settings: Any) -> CeleryCommand:
    """A command that is umbel's `own` but for what it calls, and for parameters that take the place of those of their name."""
    instead = {each.name: each for each in params}
    kept = [instead.pop(each.name, each) for each in own.params if each.expose_value]
    return CeleryCommand(
        own.name,
        callback=callback,
        params=[*kept, *instead.values()],
        help=renamed(own.help),
        short_help=own.short_help,
        context_settings=settings,
    )


def renamed(text: str | None) -> str | None:
    """A text of umbel's about its commands, with the name that they have here."""
    if text is None:
        return None
    return (
        text.replace("umbel -A", "celery -A")
        .replace("`umbel ", "`celery ")
        .replace("UMBEL_", "CELERY_")
        .replace("umbel's", "celery's")
    )


def serving_pool(name: str) -> str:
    """The pool that does the work of Celery's pools of green threads; says so."""
    note(f"-P {name}: there are no green threads here; tasks run in threads, and `async def` tasks on event loops (-P threads)")
    return "threads"


def consume_preload_options(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command that the app may give options of its own; they are told by `user_preload_options`."""

    def caller(ctx: click.Context, *args: Any, **kwargs: Any) -> Any:
        app = ctx.obj.app
        names = [option.name for option in getattr(app, "user_options", {}).get("preload", ())]
        options = {name: kwargs.pop(name) for name in names if name in kwargs}
        signals.user_preload_options.send(fun, app=app, options=options)
        return fun(ctx, *args, **kwargs)

    return update_wrapper(caller, fun)


def handle_preload_options(f: Callable[..., Any]) -> Callable[..., Any]:
    """Celery's other name for it."""
    return consume_preload_options(f)


def handle_remote_command_error(command: str, exc: Exception) -> NoReturn:
    """Ends a command whose question nobody has answered."""
    raise Failure(f"{command}: {exc}", EX_UNAVAILABLE) from exc


# Types of values


class CommaSeparatedList(click.ParamType):
    """Names with commas between."""

    name = "comma separated list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The list."""
        return value if value is None or not isinstance(value, str) else [part.strip() for part in value.split(",")]


class JsonArray(click.ParamType):
    """A list, as JSON."""

    name = "json array"
    kind: type = list

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value."""
        if not isinstance(value, str):
            return value
        try:
            found = json.loads(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
        if not isinstance(found, self.kind):
            self.fail(f"{value} is no {self.name}", param, ctx)
        return found


class JsonObject(JsonArray):
    """An object, as JSON."""

    name = "json object"
    kind = dict


class ISO8601DateTime(click.ParamType):
    """A time in ISO 8601."""

    name = "iso-86091"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The time."""
        if not isinstance(value, str):
            return value
        try:
            return datetime.fromisoformat(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class ISO8601DateTimeOrFloat(ISO8601DateTime):
    """A time in ISO 8601, or a number of seconds."""

    name = "iso-86091 or float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number or the time."""
        try:
            return float(value)
        except (TypeError, ValueError):
            return super().convert(value, param, ctx)


class LogLevel(click.Choice[Any]):
    """A level of the log, by name or number."""

    def __init__(self) -> None:
        super().__init__(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        from umbel.log import level_of

        try:
            return level_of(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


JSON_ARRAY = JsonArray()
JSON_OBJECT = JsonObject()
ISO8601 = ISO8601DateTime()
ISO8601_OR_FLOAT = ISO8601DateTimeOrFloat()
LOG_LEVEL = LogLevel()
COMMA_SEPARATED_LIST = CommaSeparatedList()


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
