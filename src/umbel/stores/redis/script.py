"""The scripts that run inside the server, each whole or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

_HEAD = re.compile(r"^-- ARGV: (.+)$", re.MULTILINE)
"""The line that names the arguments of a script, in their order; lists come last and end with dots."""
_PART = re.compile(r"^local .*?(?=^local |\Z)", re.MULTILINE | re.DOTALL)
"""What libraries are made of: a definition that begins in the first column."""
_DEFINED = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


class Script:
    """One `.lua` file behind what it needs of those that it builds on, with the names of a broker's or backend's keys filled in.

    It knows its arguments by name, and as LISTS the place in ARGV where the first list begins. Each list but the last stands
    behind a count.
    """

    def __init__(self, constants: Mapping[str, str | Sequence[str]], *files: str):
        lines = [f"local {name} = {_lua(value)}\n" for name, value in constants.items()]
        *libraries, own = map(read, files)
        parts = [*lines, *(part for library in libraries for part in definitions(library))]
        self.text = "".join(_needed(parts, _arguments(own) + _code(own)))
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@cache
def read(file: str) -> str:
    """The text of a `.lua` file."""
    return resources.files(__package__ or "").joinpath(f"{file}.lua").read_text("utf-8")


def _code(text: str) -> str:
    """Without lines that only explain."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))


def definitions(library: str) -> list[str]:
    """Those of a library, each by itself."""
    return _PART.findall(_code(library))


def _needed(parts: Sequence[str], own: str) -> list[str]:
    """What `own` needs of these, directly or not, and itself: the server runs all of it each time, function by function."""
    names, needed = set(_NAME.findall(own)), [own]
    for part in reversed(parts):
        defined = _DEFINED.match(part)
        if defined and not names.isdisjoint(defined[1].split(", ")):
            names.update(_NAME.findall(part))
            needed.append(part)
    return needed[::-1]


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
