"""The scripts that run inside the server, each whole or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib import resources
from typing import NamedTuple

_HEAD = re.compile(r"^-- ARGV: (.+)$", re.MULTILINE)
"""The line that names the arguments of a script, in their order; lists come last and end with dots."""
_PART = re.compile(r"^local .*?(?=^local |\Z)", re.MULTILINE | re.DOTALL)
"""What libraries are made of: a definition that begins in the first column."""
_DEFINED = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


class Script:
    """One `.lua` file behind what it needs of those that it builds on, with the names of a broker's or backend's keys filled in.

    It knows its arguments by name, and as LISTS the place in ARGV where the first list begins. Each list but the last stands
    behind a count. It is made when it is first needed: a client needs few of them.
    """

    def __init__(self, constants: Mapping[str, str | Sequence[str]], *files: str):
        self._constants = constants
        *self._libraries, self._own = files

    @cached_property
    def text(self) -> str:
        """What `own` needs of all others, directly or not, and itself: the server runs all of it each time, from the top."""
        own = _own(self._own)
        names, needed = set(own.uses), [own.text]
        for part in reversed([part for library in self._libraries for part in definitions(library)]):
            if not names.isdisjoint(part.defines):
                names |= part.uses
                needed.append(part.text)
        constants = [f"local {name} = {_lua(value)}\n" for name, value in self._constants.items() if name in names]
        return "".join([*constants, *reversed(needed)])

    @cached_property
    def digest(self) -> str:
        """What the server knows it by."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Part(NamedTuple):
    """A piece of Lua, what it defines, and each name that is in it."""

    text: str
    defines: frozenset[str]
    uses: frozenset[str]


@cache
def read(file: str) -> str:
    """The text of a `.lua` file."""
    return resources.files(__package__ or "").joinpath(f"{file}.lua").read_text("utf-8")


@cache
def definitions(library: str) -> list[Part]:
    """Those of a library, each by itself."""
    return [_part(text) for text in _PART.findall(_code(read(library)))]


@cache
def _own(file: str) -> Part:
    text = read(file)
    return _part(_arguments(text) + _code(text))


def _part(text: str) -> Part:
    defined = _DEFINED.match(text)
    return Part(text, frozenset(defined[1].split(", ") if defined else ()), frozenset(_NAME.findall(text)))


def _code(text: str) -> str:
    """Without lines that only explain."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))


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
