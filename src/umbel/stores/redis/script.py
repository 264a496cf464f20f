"""The scripts that run inside the server, each whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources


class Script:
    """One `.lua` file behind those that it builds on, with the names of a broker's or backend's keys filled in."""

    def __init__(self, constants: dict[str, str | Sequence[str]], *files: str):
        lines = [f"local {name} = {_lua(value)}\n" for name, value in constants.items()]
        self.text = "".join([*lines, *map(_read, files)])
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@cache
def _read(file: str) -> str:
    return resources.files(__package__ or "").joinpath(f"{file}.lua").read_text("utf-8")


def _lua(value: str | Sequence[str]) -> str:
    """As a literal; every byte by its number, so that nothing in a name can end the string."""
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    return "{" + ", ".join(map(_lua, value)) + "}"
