"""What the options of one call may be: whoever gives something else is told at once, and not by a worker."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from umbel.execution import when

FARTHEST = 1e10
"""Seconds from now: some three hundred years."""


def check(name: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError if an option for a call of the task `name` cannot mean anything."""
    for option, (fits, wanted) in _WANTED.items():
        value = options.get(option)
        if value is not None and not fits(value):
            raise ValueError(f"{name}: {option} must be {wanted}, not {value!r}")
    hard, soft = options.get("time_limit"), options.get("soft_time_limit")
    if hard is not None and soft is not None and soft > hard:
        raise ValueError(f"{name}: soft_time_limit = {soft:g} is longer than time_limit = {hard:g}")


def _is_seconds(value: Any) -> bool:
    return isinstance(value, Real) and abs(float(value)) < FARTHEST


def _is_limit(value: Any) -> bool:
    return _is_seconds(value) and value >= 0


def _is_moment(value: Any) -> bool:
    if not isinstance(value, (str, datetime.datetime)):
        return False
    try:
        when.absolute(value)
    except ValueError:
        return False
    return True


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral)


def _is_priority(value: Any) -> bool:
    try:
        int(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _are_signatures(value: Any) -> bool:
    several = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(each, Mapping) or hasattr(each, "s") for each in several)


_WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "countdown": (_is_seconds, "a number of seconds"),
    "eta": (_is_moment, "a datetime or a time in ISO 8601"),
    "expires": (
        lambda value: _is_seconds(value) or _is_moment(value),
        "a number of seconds, a datetime or a time in ISO 8601",
    ),
    "time_limit": (_is_limit, "a number of seconds"),
    "soft_time_limit": (_is_limit, "a number of seconds"),
    "priority": (_is_priority, "a whole number, 0 to 9"),
    "retries": (_is_whole, "a whole number"),
    "queue": (lambda value: isinstance(value, str) or hasattr(value, "name"), "the name of a queue"),
    "headers": (lambda value: isinstance(value, Mapping), "a mapping"),
    "link": (_are_signatures, "a signature, or a list of them"),
    "link_error": (_are_signatures, "a signature, or a list of them"),
}
