"""What umbel's types say, to mypy and to pyright."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def mypy(path: Path) -> set[int]:
    """The lines that mypy refuses."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", str(path)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = [line for line in found.stdout.splitlines() if ": error:" in line]
    assert all(path.name in line for line in errors), found.stdout
    assert not found.stderr
    return {int(line.partition(".py:")[2].partition(":")[0]) for line in errors}


def pyright(path: Path) -> set[int]:
    """The lines that pyright refuses."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(path)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = [each for each in json.loads(found.stdout)["generalDiagnostics"] if each["severity"] == "error"]
    return {each["range"]["start"]["line"] + 1 for each in errors}


Checker = Callable[[Path], set[int]]


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_right_code_is_accepted_and_its_types_are_known(checker: Checker) -> None:
    assert checker(HERE / "right.py") == set()


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_wrong_code_is_refused_line_by_line(checker: Checker, tmp_path: Path) -> None:
    text = (HERE / "wrong.txt").read_text()  # no .py file, as all of those are to be right
    path = tmp_path / "wrong.py"
    path.write_text(text)
    wanted = {number for number, line in enumerate(text.splitlines(), 1) if re.search(r"# wrong$", line)}
    assert checker(path) == wanted
