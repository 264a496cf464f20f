"""Arguments of a call as they are given: a text as args would be as many arguments as it has letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from umbel.wire.brief import brief


def listed(task: str, given: Any) -> Sequence[Any]:
    """The args of a call of this task; TypeError if they are no list or tuple."""
    if isinstance(given, (list, tuple)):
        return given
    told = brief(given)
    raise TypeError(f"{task}: args must be a tuple or a list, not {told}; for one argument write args=({told},)")


def named(task: str, given: Any) -> Mapping[str, Any]:
    """The kwargs of a call of this task; TypeError if they are no mapping with names."""
    if isinstance(given, Mapping) and all(isinstance(name, str) for name in given):
        return given
    raise TypeError(f"{task}: kwargs must be a dict with names, not {brief(given)}")
