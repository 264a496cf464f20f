"""How long tests wait is said in one place, `umbel.testing.waiting`: no test has a number of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NO_TESTS = {"tests/typing/right.py", "tests/wire/celery/record.py"}
"""Is never run; is run by hand, against Celery."""
SHORT = 1.0
"""A wait that is shorter is what is tested itself: it is to end in vain."""
WAITS = {"join", "wait", "wait_for", "communicate", "acquire", "timeout", "until"}
"""Calls whose last argument may say how long."""


def test_no_test_has_a_deadline_of_its_own() -> None:
    sources = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("packages/*/tests/**/*.py"), *ROOT.glob("src/umbel/testing/*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{line}: say patience(), or until(fact, times=…)"
        for path in sources
        if str(path.relative_to(ROOT)) not in NO_TESTS
        for line in deadlines(ast.parse(path.read_text()))
    ]
    assert found == []


def deadlines(tree: ast.AST) -> Iterator[int]:
    """The lines in which a number says how long to wait."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        said = [word.value for word in call.keywords if word.arg == "timeout"]
        if name in WAITS:
            said += call.args[-1:]
        if any(isinstance(value, ast.Constant) and type(value.value) in {int, float} and value.value >= SHORT for value in said):
            yield call.lineno
