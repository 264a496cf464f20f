"""The house keeps its floors: imports go down only, nothing goes in circles, and no room has a name that says nothing.

Every import counts: at the top of a file, inside a function, and under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "src" / "umbel"

FLOORS: tuple[frozenset[str], ...] = (  # ground first; rooms of one floor do not import each other
    frozenset({"shown", "version"}),
    frozenset({"guise"}),
    frozenset({"errors", "states", "clock", "signals", "log"}),
    frozenset({"wire", "canvas", "settings", "schedules"}),
    frozenset({"stores", "messages"}),
    frozenset({"execution"}),
    frozenset({"pools", "events", "follow"}),
    frozenset({"client"}),
    frozenset({"worker", "beat"}),
    frozenset({"cli", "django", "testing"}),
)
OUTSIDE = {"umbel", "__main__"}  # the face and the door: they may look at every room, and no room but the top floor's at them
SAYS_NOTHING = {"util", "utils", "common", "helper", "helpers", "base", "core", "compat", "misc", "manager", "handler"}

Imports = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module of the package: `wire.message` → its file; a room's `__init__` goes by the room's name."""
    found = {}
    for path in HOUSE.rglob("*.py"):
        parts = list(path.relative_to(HOUSE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts) or "umbel"] = path
    return found


def targets(node: ast.AST, package: list[str]) -> Iterator[str]:
    """The dotted names that an import statement may mean; the longest that is a module is the one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def imports() -> Imports:
    """Which module imports which, inside the house."""
    known = modules()
    found: Imports = {name: set() for name in known}
    for name, path in known.items():
        package = ["umbel", *path.relative_to(HOUSE).parts[:-1]]
        for node in ast.walk(ast.parse(path.read_text())):
            for target in targets(node, package):
                head, _, rest = target.partition(".")
                while head == "umbel" and rest and rest not in known:
                    rest = rest.rpartition(".")[0]
                if head == "umbel" and (rest or "umbel") != name:
                    found[name].add(rest or "umbel")
    return found


def circles(arrows: Imports) -> list[list[str]]:
    """Groups of modules that reach each other."""
    reach: Imports = {name: set(to) for name, to in arrows.items()}
    for middle in arrows:
        for name in arrows:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    groups = {
        tuple(sorted({name} | {other for other in reach[name] if name in reach[other]})) for name in arrows if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def room(module: str) -> str:
    return module.partition(".")[0]


def upward(arrows: Imports) -> list[str]:
    """Imports that go up a floor, or sideways into another room, or to the face."""
    level = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    found = []
    for source, wanted in sorted(arrows.items()):
        for target in sorted(wanted):
            a, b = room(source), room(target)
            if a in OUTSIDE or a == b or (b in OUTSIDE and a in FLOORS[-1]):
                continue
            if b in OUTSIDE or level[b] >= level[a]:
                found.append(f"{source} imports {target}")
    return found


def test_every_module_stands_on_a_floor() -> None:
    placed = frozenset.union(*FLOORS) | OUTSIDE
    assert {room(name) for name in modules()} <= placed


def test_imports_only_go_down() -> None:
    assert upward(imports()) == []


def test_no_imports_go_in_circles() -> None:
    assert circles(imports()) == []


def test_a_circle_and_an_upward_import_would_be_seen() -> None:
    bad: Imports = {"wire.a": {"client.b"}, "client.b": {"client.c"}, "client.c": {"wire.a"}}
    assert circles(bad) == [["client.b", "client.c", "wire.a"]]
    assert upward(bad) == ["wire.a imports client.b"]


def test_every_name_says_something() -> None:
    parts = {part for name in modules() for part in name.split(".")}
    assert not parts & SAYS_NOTHING


@pytest.mark.parametrize(
    "name", sorted(name for name, path in modules().items() if path.name == "__init__.py" and name != "umbel")
)
def test_a_rooms_face_defines_nothing(name: str) -> None:
    allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
    tree = ast.parse(modules()[name].read_text())
    assert [ast.unparse(node) for node in tree.body if not isinstance(node, allowed)] == []
