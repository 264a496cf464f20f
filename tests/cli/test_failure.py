from __future__ import annotations

import click
import pytest

from umbel.cli.failure import Failure, UserCodeFailed, explain
from umbel.cli.main import run
from umbel.errors import BrokerDown, ImproperlyConfigured, UmbelError


def raised(problem: BaseException) -> BaseException:
    try:
        raise problem
    except BaseException as caught:
        return caught


def of_another_class(problem: UmbelError) -> Exception:
    other = RuntimeError(str(problem))
    other.__cause__ = problem
    return other


@pytest.mark.parametrize(
    ("problem", "code", "line"),
    [
        (Failure("taken", 73), 73, "umbel: taken"),
        (ImproperlyConfigured("no such scheme"), 1, "umbel: no such scheme"),
        (BrokerDown(), 1, "umbel: The store cannot be reached now; trying again may help."),
        (of_another_class(BrokerDown("x cannot be reached")), 1, "umbel: x cannot be reached"),
        (click.UsageError("No such option: --foo"), 64, "umbel: no such option: --foo"),
        (click.BadParameter("'x' is wrong"), 64, "umbel: invalid value: 'x' is wrong"),
        (click.UsageError("Missing it. Choose from:\n\tone,\n\ttwo"), 64, "umbel: missing it. Choose from: one, two"),
        (click.ClickException("hm"), 1, "umbel: hm"),
        (click.Abort(), 130, "umbel: stopped"),
        (KeyboardInterrupt(), 130, "umbel: stopped"),
        (PermissionError(13, "Permission denied", "/x.log"), 1, "umbel: /x.log: Permission denied"),
        (NotImplementedError("groups come later"), 1, "umbel: groups come later"),
        (ValueError("two\nlines"), 1, "umbel: ValueError: two lines (unexpected; UMBEL_DEBUG=1 shows where)"),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_a_code(
    problem: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(raised(problem)) == code
    assert capsys.readouterr().err == line + "\n"


def test_a_group_without_a_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["logtool"]) in (0, 64)  # click before 8.2 shows it as what was asked for
    shown = "".join(capsys.readouterr())
    assert shown.startswith("Usage: umbel logtool [OPTIONS] COMMAND [ARGS]...\n")
    assert shown.rstrip().splitlines()[-1].startswith("  traces ")


def test_the_unexpected_shows_where_if_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("UMBEL_DEBUG", "1")
    explain(raised(ValueError("hm")))
    assert "Traceback" in capsys.readouterr().err


def test_a_failure_of_the_users_module_shows_the_users_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(UserCodeFailed("importing proj", raised(ZeroDivisionError("by zero")))) == 1
    shown = capsys.readouterr().err
    assert "raise problem" in shown
    assert shown.endswith("\numbel: importing proj failed: ZeroDivisionError: by zero\n")
