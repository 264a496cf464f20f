"""What a command speaks of: the app named by `-A` (or none), as the options before and after the command's name say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from umbel import guise, signals
from umbel.cli import early
from umbel.cli.failure import Failure, UserCodeFailed, note
from umbel.client.app import Umbel
from umbel.errors import ImproperlyConfigured, UmbelError

if TYPE_CHECKING:  # a worker costs more to load than all else here
    from umbel.stores.backend import ResultBackend
    from umbel.stores.broker import Broker
    from umbel.worker.worker import Worker


class Scope:
    """The options that all commands share, and the app they lead to. One for each run of the program."""

    def __init__(self, app: Umbel | None = None) -> None:
        """`app` is meant unless another one is named by `-A`; it is not closed at the end."""
        self._given = app
        self.app_name: str | None = None if app is None else app.main or "app"
        self.broker_url: str | None = None
        self.result_backend: str | None = None
        self.config: str | None = None
        self.color: bool | None = None
        self.quiet = False
        self.include: tuple[str, ...] = ()
        self.from_environment: dict[str, str] = {}
        """Which of these come from there, and from which variable."""
        self.user_options: dict[str, Any] = {}
        """What options say that the app has added to the command."""
        self._user_options: set[str] = set()
        self.is_for_worker = False
        """True of a command that runs as a worker or a beat."""
        self.logs_elsewhere = False
        """True if receivers of `setup_logging` have set up the log."""
        self._app: Umbel | None = None
        self._app_to_ask: Umbel | None = None

    @property
    def app(self) -> Umbel:
        """The app, its tasks imported and its settings checked; without a name one that only knows its broker."""
        if self._app is None:
            self._app = self._load()
        return self._app

    @property
    def app_to_ask(self) -> Umbel:
        """The app with its settings only: who asks workers, or tells them something, need not know their tasks."""
        if self._app is not None:
            return self._app
        if self._app_to_ask is None:
            self._look_here()
            with early.Undisturbed(), _users_code(f"importing {self.app_name or self.config or 'the settings'}"):
                self._app_to_ask = self._find()
                self._configure(self._app_to_ask)
        return self._app_to_ask

    def required_app(self, command: str) -> Umbel:
        """The app, for a command that can do nothing without its tasks."""
        if not self.app_name:
            program = guise.worn().program
            raise Failure(f"which app? Name it with -A ({program} -A proj {command}) or in {program.upper()}_APP", 64)
        return self.app

    @property
    def colorize(self) -> bool | None:
        """What the log is told of colours; None: nothing."""
        return self.color

    def with_user_options(self, command: click.Command, rest: Sequence[str]) -> click.Command:
        """A command with the options that the app has for it, if options were typed behind its name that it does not know.

        Else the app is imported later: when the process is what it is to be, and hears signals.
        """
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        known |= {name for option in shared_options(again=True) for name in option.opts}
        if self.app_name is None or all(word[:1] != "-" or _option_of(word) in known for word in rest):
            return command
        self._look_here()
        try:
            more = _more_options(self._find(), command)
        except Exception:  # whoever runs the command says it, and better
            return command
        self._user_options = {str(option.name) for option in more}
        command = copy(command)
        command.params = [*command.params, *more]
        return command

    def take_user_options(self, given: dict[str, Any]) -> None:
        """Take the values of such options out of what a command was given, and tell the receivers of `user_preload_options`.

        Those that were not typed have their defaults.
        """
        context = click.get_current_context()
        options = {name: given.pop(name) for name in self._user_options}
        for option in _more_options(self.app, context.command) if self.app_name is not None else ():
            value, _ = option.consume_value(context, {})
            options[str(option.name)] = option.process_value(context, value)
        self.user_options = options
        if options:
            signals.user_preload_options.send(self.app, app=self.app, options=options)

    def show_worker(self, worker: Worker, **how: Any) -> str:
        """The banner of a worker; `how` it is drawn is said as to `umbel.cli.banner.banner`."""
        from umbel.cli.banner import banner  # what a worker needs is loaded for a worker

        return banner(worker, **how)

    def show_beat(self, app: Umbel, scheduler: str, **how: Any) -> str:
        """That of a beat."""
        from umbel.cli.banner import beat_banner

        return beat_banner(app, scheduler, **how)

    def close(self) -> None:
        """Leave the stores that the command has opened."""
        for app in (self._app, self._app_to_ask):
            if app is not None and app is not self._given:
                app.close()

    @staticmethod
    def _look_here() -> None:
        """Let modules of this folder be found."""
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())

    def _load(self) -> Umbel:
        self._look_here()
        name = self.app_name
        with early.Undisturbed(), _users_code(f"importing {name or self.config or 'the settings'}"):
            app = self._find()
            self._configure(app)
            if self.is_for_worker:
                app.conf.load()
                app.loader.init_worker()
            else:
                app.import_task_modules()
            app.finalize(auto=True)
        problems = app.problems()
        if problems:
            raise Failure(_list("this setting cannot work", "these settings cannot work", problems))
        return app

    def _find(self) -> Umbel:
        if self.app_name is None:
            return Umbel("umbel", set_as_current=False)
        if self._given is not None and ("app_name" in self.from_environment or self.app_name == (self._given.main or "app")):
            return self._given
        from umbel.client.discover import find_app

        try:
            return find_app(self.app_name)
        except ImproperlyConfigured as problem:
            if "app_name" not in self.from_environment:
                raise
            name = self.from_environment["app_name"]
            raise ImproperlyConfigured(f"{problem} (it is named by the environment: {name})") from problem

    def _configure(self, app: Umbel) -> None:
        if self.config:
            app.config_from_object(self.config, force=True)
        given = {"broker_url": self.broker_url, "result_backend": self.result_backend}
        app.conf.from_command_line({name: value for name, value in given.items() if value})
        if self.include:
            app.conf.from_command_line({"include": (*app.conf.include, *self.include)})


@contextmanager
def broker_of(scope: Scope) -> Iterator[Broker]:
    """The app's broker, closed at the end."""
    conf = scope.app.conf
    try:
        broker = scope.app.broker
    except ImproperlyConfigured as problem:
        source = conf.source("broker_url")
        if "broker_url" in scope.from_environment:
            source = f"environment {scope.from_environment['broker_url']}"
        if not source.startswith("environment"):
            raise
        raise ImproperlyConfigured(f"{problem} (broker_url comes from the {source})") from problem
    path = broker.url.removeprefix("sqlite:///").partition("?")[0]
    if broker.url.startswith("sqlite:") and not os.path.exists(path) and not scope.quiet:
        note(f"there was no file {path}, and looking makes one")
    try:
        yield broker
    finally:
        broker.close()


def backend_of(app: Umbel) -> ResultBackend:
    """The app's result backend; a failure if it has none."""
    backend: ResultBackend | None = app.result_store
    if backend is None:
        raise Failure("this app keeps no results; set result_backend (or give --result-backend)")
    return backend


@contextmanager
def _users_code(doing: str) -> Iterator[None]:
    try:
        yield
    except UmbelError:
        raise
    except SystemExit as exit_:
        raise Failure(f"{doing} ended the program: sys.exit({exit_.code!r}) was called there") from exit_
    except Exception as error:
        raise UserCodeFailed(doing, error) from error


def _option_of(word: str) -> str:
    """The name of the option that a word of the command line begins with: `--site=x`, `-Ofair`."""
    return word.partition("=")[0] if word.startswith("--") else word[:2]


def _more_options(app: Umbel, command: click.Command) -> list[click.Option]:
    """The options that an app has for a command and for all, besides those that the command has."""
    wanted = app.user_options or {}
    known = {parameter.name for parameter in command.params}
    return [option for option in (*wanted.get(command.name, ()), *wanted.get("preload", ())) if option.name not in known]


def _list(one: str, many: str, lines: list[str]) -> str:
    return f"{one}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{many}:", *lines])


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def take(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None and value is not False:
            scope = context.ensure_object(Scope)
            before = getattr(scope, name)
            if name == "app_name" and before not in (None, value) and _is_typed(context.parent, parameter.name):
                note(f"{parameter.opts[0]} {before} and {parameter.opts[0]} {value}: the second is taken")
            setattr(scope, name, value)
            if parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.ENVIRONMENT:
                names = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
                scope.from_environment[name] = next((each for each in names if os.environ.get(each)), "")
            else:
                scope.from_environment.pop(name, None)

    return take


def _is_typed(context: click.Context | None, name: str | None) -> bool:
    """True if the option was written on the command line, and does not come from the environment."""
    return context is not None and context.get_parameter_source(name or "") is ParameterSource.COMMANDLINE


def _no_color(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Scope).color = context.color = False


def _change_directory(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        try:
            os.chdir(value)
        except OSError as problem:
            raise click.BadParameter(f"{value}: {problem.strerror}", context, parameter) from problem


def shared_options(*, again: bool = False) -> list[click.Option]:
    """The options of the program itself; `again` gives those that may also stand behind the command's name."""
    place: dict[str, Any] = {"expose_value": False, "hidden": again}
    own_app = {**place, "hidden": False}  # where it may stand is what people look for

    def names(*names: str) -> dict[str, Any]:
        return {} if again else {"envvar": list(dict.fromkeys(names))}

    own = guise.worn().program.upper()

    return [
        click.Option(
            ["-A", "--app"],
            metavar="APP",
            callback=_set("app_name"),
            help="The app: module, module:attribute, package, or a function that makes it.",
            **names(f"{own}_APP", "CELERY_APP", "APP"),
            **own_app,
        ),
        click.Option(
            ["-b", "--broker"],
            metavar="URL",
            callback=_set("broker_url"),
            help="Broker, in place of the app's.",
            **names(f"{own}_BROKER", "CELERY_BROKER"),
            **place,
        ),
        click.Option(
            ["--result-backend"],
            metavar="URL",
            callback=_set("result_backend"),
            help="Result backend, in place of the app's.",
            **place,
        ),
        click.Option(
            ["--config"],
            metavar="MODULE",
            callback=_set("config"),
            help="Module with settings, in place of the app's own.",
            **place,
        ),
        click.Option(
            ["--workdir"],
            metavar="FOLDER",
            callback=_change_directory,
            is_eager=True,
            help="Change to this folder first.",
            **place,
        ),
        click.Option(["-C", "--no-color"], is_flag=True, callback=_no_color, help="No colours.", **place),
        click.Option(["-q", "--quiet"], is_flag=True, callback=_set("quiet"), help="Say only what was asked for.", **place),
    ]
