"""The scripts that run inside the server, each whole or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

_HEAD = re.compile(r"^-- ARGV: (.+)$", re.MULTILINE)
"""The line that names the arguments of a script, in their order; lists come last and end with dots."""


class Script:
    """One `.lua` file behind those that it builds on, with the names of a broker's or backend's keys filled in.

    It knows its arguments by name, and as LISTS the place in ARGV where the first list begins. Each list but the last stands
    behind a count.
    """

    def __init__(self, constants: Mapping[str, str | Sequence[str]], *files: str):
        lines = [f"local {name} = {_lua(value)}\n" for name, value in constants.items()]
        *libraries, own = map(read, files)
        self.text = "".join([*lines, *libraries, _arguments(own), own])
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@cache
def read(file: str) -> str:
    """The text of a `.lua` file."""
    return resources.files(__package__ or "").joinpath(f"{file}.lua").read_text("utf-8")


def arguments(text: str) -> list[str]:
    """The names that the head of a script gives to its arguments."""
    head = _HEAD.search(text)
    return head[1].split() if head else []


def _arguments(text: str) -> str:
    """The head as Lua has it."""
    given = arguments(text)
    single = [name for name in given if not name.endswith("...")]
    lines = [f"local {name} = ARGV[{place}]\n" for place, name in enumerate(single, 1)]
    if len(single) < len(given):
        lines.append(f"local LISTS = {len(single) + 1}\n")
    return "".join(lines)


def _lua(value: str | Sequence[str]) -> str:
    """As a literal; every byte by its number, so that nothing in a name can end the string."""
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    return "{" + ", ".join(map(_lua, value)) + "}"
