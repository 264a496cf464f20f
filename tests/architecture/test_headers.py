"""One place makes messages: nobody else fills in headers."""

from __future__ import annotations

import ast
from pathlib import Path

HOUSE = Path(__file__).parents[2] / "src" / "umbel"
ALLOWED = {
    "messages/write.py": "the one place",
    "execution/execute.py": "stands in for headers that cannot be read, in nothing that is sent",
}


def test_headers_are_filled_in_one_place() -> None:
    makers = set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("Headers", "Message"):
                makers.add(str(path.relative_to(HOUSE)))
    readers = {path for path in makers if path.startswith("wire/")}  # where bytes become messages
    assert makers - readers == set(ALLOWED)
