"""The name of a worker, and the places in paths that it fills."""

from __future__ import annotations

import re

from umbel import guise
from umbel.wire.host import host_name


def node_name(wish: str | None) -> str:
    """The full name `name@host` of a worker: `wish` with `%h` (host), `%n` (host without domain) and `%d` (domain) filled in.

    Without an `@` it is only the name; without a wish the name is that of `umbel.guise`.
    """
    host = host_name()
    short, _, domain = host.partition(".")
    name = _fill(wish or guise.worn().node, {"h": host, "n": short, "d": domain, "i": "0", "I": ""})
    return name if "@" in name else f"{name}@{host}"


def fill_path(pattern: str, node: str, *, keep_index: bool = False) -> str:
    """A path with `%n` (the name before the @), `%h` (host), `%d` (domain) and `%p` (the full name) filled in.

    `%i` and `%I` become the worker's own, 0 and nothing, unless `keep_index` leaves them for each child to fill.
    """
    name, _, host = node.partition("@")
    index = {"i": "%i", "I": "%I"} if keep_index else {"i": "0", "I": ""}
    return _fill(pattern, {"n": name, "h": host, "d": host.partition(".")[2], "p": node, **index})


def _fill(pattern: str, values: dict[str, str]) -> str:
    return re.sub(r"%(.)", lambda found: "%" if found[1] == "%" else values.get(found[1], found[0]), pattern)
