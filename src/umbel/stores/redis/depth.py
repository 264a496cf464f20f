"""How full a queue is, from a row that `survey.lua` gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from umbel.stores.broker import Depth


def as_depth(row: Sequence[Any]) -> Depth:
    """The row as the contract has it."""
    _, ready, held, later, dead, ages, now = row
    born = [moment for age in ages if (moment := _born(age.decode())) is not None]
    return Depth(ready, held, later, dead, max(float(now) - min(born), 0.0) if born else None)


def _born(age: str) -> float | None:
    """Since when an element is ready: its tag tells when it was made, if it is umbel's; before it was due, it was not ready."""
    tag, due = age.split(" ")
    made = int(tag.replace("-", "")[:12], 16) / 1000 if tag[14:15] == "7" else None
    if due == "null":
        return made
    return float(due) if made is None else max(float(due), made)
