"""How commands end when something is wrong: one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from types import ModuleType

import click
from click.core import ParameterSource

from umbel import guise
from umbel.errors import UmbelError

FAILED = 1
USAGE = 64
NO_REPLY = 69
CANNOT_CREATE = 73
INTERRUPTED = 130


class Failure(UmbelError):
    """What a command was asked cannot be done; `code` is what it exits with."""

    def __init__(self, message: str, code: int = FAILED):
        super().__init__(message)
        self.code = code


class UserCodeFailed(Failure):
    """The user's own modules raised while umbel imported them."""

    def __init__(self, doing: str, error: BaseException):
        super().__init__(f"{doing} failed: {_in_a_line(error)}")
        self.error = error


def explain(problem: BaseException) -> int:
    """Tell on stderr what went wrong, in one line where it can be one; gives the exit code."""
    if isinstance(problem, click.UsageError):
        if isinstance(problem, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # of a group, since click 8.2
            click.echo(problem.format_message(), err=True)
            return USAGE
        return _say(_usage(problem), USAGE)
    if isinstance(problem, click.Abort | KeyboardInterrupt):
        return _say("stopped", INTERRUPTED)
    if isinstance(problem, click.ClickException):
        return _say(problem.format_message(), FAILED)
    if isinstance(problem, UserCodeFailed):
        click.echo(_users_traceback(problem.error), err=True, nl=False)
    if isinstance(problem, Failure):
        return _say(str(problem), problem.code)
    if isinstance(problem, UmbelError) or isinstance(
        problem.__cause__ or problem.__context__, UmbelError
    ):  # also one that got another's class
        return _say(str(problem) or (type(problem).__doc__ or "").strip(), FAILED)
    if isinstance(problem, NotImplementedError) and str(problem):  # says itself what is not there, and what is
        return _say(str(problem), FAILED)
    if isinstance(problem, OSError) and problem.strerror:
        return _say(f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror, FAILED)
    if os.environ.get("UMBEL_DEBUG"):
        traceback.print_exception(problem)
    return _say(f"{_in_a_line(problem)} (unexpected; UMBEL_DEBUG=1 shows where)", FAILED)


def note(text: str) -> None:
    """Tell something on stderr that does not stop the command."""
    _say(text, 0)


def _say(text: str, code: int) -> int:
    click.echo(f"{guise.worn().program}: {text}", err=True)
    return code


def _usage(problem: click.UsageError) -> str:
    text = " ".join(problem.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    text += _from_environment(problem)
    return f"{text} ({problem.ctx.command_path} --help)" if problem.ctx else text


def _from_environment(problem: click.UsageError) -> str:
    """Says so, if what is wrong was not typed, but comes from a variable."""
    parameter = getattr(problem, "param", None)
    if problem.ctx is None or not isinstance(parameter, click.Option):
        return ""
    if problem.ctx.get_parameter_source(parameter.name or "") is not ParameterSource.ENVIRONMENT:
        return ""
    names = [each for each in _variables(parameter, problem.ctx) if os.environ.get(each)]
    return f" (it comes from the environment: {', '.join(names[:1])})"


def _variables(parameter: click.Option, context: click.Context) -> list[str]:
    given = parameter.envvar or ()
    found = [given] if isinstance(given, str) else list(given)
    if context.auto_envvar_prefix and parameter.name:
        own = f"{context.auto_envvar_prefix}_{parameter.name}".upper()
        found += [own, own.replace("UMBEL_", "CELERY_", 1)]
    return found


def _in_a_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")


def _users_traceback(error: BaseException) -> str:
    """The traceback without the frames of umbel, click and the import machinery."""
    whole = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = whole
    while part is not None:
        part.stack = traceback.StackSummary.from_list([frame for frame in part.stack if _is_users(frame.filename)])
        part = part.__cause__ or part.__context__
    return "".join(whole.format())


def _is_users(filename: str) -> bool:
    import importlib

    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    homes = (ours, _home(importlib), _home(click), "<frozen importlib")
    return not filename.startswith(homes) and filename != sys.argv[0]


def _home(package: ModuleType) -> str:
    return os.path.dirname(package.__file__ or "")
