"""The kinds of values that settings take: what fits, what is expected, and how text from the environment is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from numbers import Real
from typing import Any

_YES = frozenset({"1", "true", "yes", "on", "y", "t"})
_NO = frozenset({"0", "false", "no", "off", "n", "f", ""})
_NONE = frozenset({"none", "null"})


class Kind:
    """One kind of value: what a person is told to give, what fits, and how text is read (ValueError if it cannot be)."""

    __slots__ = ("expected", "fits", "read")

    def __init__(self, expected: str, fits: Callable[[Any], bool], read: Callable[[str], Any]):
        self.expected = expected
        self.fits = fits
        self.read = read


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - nan is no number


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or value in (0, 1)


def _is_names(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(each, str) for each in value)


def _is_places(value: object) -> bool:
    several = [value] if isinstance(value, str) else value
    return isinstance(several, (list, tuple)) and bool(several) and all(isinstance(each, str) for each in several)


def _is_queues(value: object) -> bool:
    if isinstance(value, (str, Mapping)):
        return True
    return isinstance(value, (list, tuple, set, frozenset)) and all(
        isinstance(each, str) or hasattr(each, "name") for each in value
    )


def _is_routes(value: object) -> bool:
    """True for a rule, or a list of rules or of (name, route) pairs. A rule is a path, a function, or routes by name."""
    if isinstance(value, Mapping):
        return all(map(_is_route, value.values()))
    if isinstance(value, (list, tuple)):
        return all(_is_pair(each) or _is_routes(each) for each in value)
    return isinstance(value, str) or callable(value) or hasattr(value, "route_for_task")


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and not callable(value[1]) and _is_route(value[1])


def _is_route(value: object) -> bool:
    return isinstance(value, (str, Mapping)) or hasattr(value, "name") or value is None


POLICY = ("max_retries", "interval_start", "interval_step", "interval_max")
"""What a policy of trying again says: numbers, or None."""
_OF_KOMBU = frozenset({"errback", "on_revive", "retry_errors"})
"""What may be in one besides, and says nothing here."""


def wrong_with_policy(value: Mapping[Any, Any]) -> str | None:
    """What makes no sense in a policy of trying again; None if nothing is wrong."""
    for key, said in value.items():
        if key in POLICY:
            if said is not None and not _is_finite(said):
                return f"has {key} = {said!r:.100}, which is no number"
        elif key not in _OF_KOMBU:
            return f"has {key!r:.100}, which says nothing: it is of {', '.join(POLICY)}"
    return None


def _is_seconds(value: object) -> bool:
    return _is_number(value) and _is_finite(value)


def _is_finite(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _is_policy(value: object) -> bool:
    return isinstance(value, Mapping) and wrong_with_policy(value) is None


def _read_flag(text: str) -> bool:
    word = text.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(text)


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _read_mapping(text: str) -> dict[str, Any]:
    import json

    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


def _read_routes(text: str) -> Any:
    """Routes written as JSON; any other text is the path of a rule."""
    return _read_any(text) if text.lstrip().startswith(("{", "[")) else text


def _read_slots(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _read_any(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


KINDS: dict[str, Kind] = {
    "text": Kind("text", lambda value: isinstance(value, str), str),
    "whole": Kind("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool), int),
    "number": Kind("a number", _is_number, float),
    "seconds": Kind("seconds (a number) or a timedelta", _is_seconds, float),
    "flag": Kind("True or False", _is_flag, _read_flag),
    "names": Kind("a list of names", _is_names, _read_names),
    "mapping": Kind("a dict", lambda value: isinstance(value, Mapping), _read_mapping),
    "policy": Kind(f"a dict of the numbers {', '.join(POLICY)}", _is_policy, _read_mapping),
    "places": Kind("a URL, or a list of them", _is_places, str),
    "queues": Kind("names, a dict of options by name, or objects with a name", _is_queues, _read_names),
    "routes": Kind("a dict of routes by task name, a list of such, a function, or the path of one", _is_routes, _read_routes),
    "slots": Kind("a whole number from 1, or 'auto'", lambda value: value == "auto" or _is_positive(value), _read_slots),
    "any": Kind("anything", lambda value: True, _read_any),
}


def fits(kind: str, value: object) -> bool:
    """True if `value` may be given to a setting of this kind; None means "not set" everywhere."""
    return value is None or KINDS[kind].fits(value)


def read(kind: str, text: str) -> Any:
    """The value that `text` from the environment stands for; ValueError if it stands for none."""
    if kind != "text" and text.strip().lower() in _NONE:
        return None
    return KINDS[kind].read(text)


def loosely(kind: str, value: object) -> Any:
    """`value`, or what its text means where another kind is wanted (`"10"` for a number); anything else stays as it is.

    A timedelta becomes seconds, so that no reader has to ask.
    """
    if isinstance(value, timedelta) and kind == "seconds":
        return value.total_seconds()
    if not isinstance(value, str) or kind in ("text", "any", "places"):
        return value
    try:
        return read(kind, value)
    except ValueError:
        return value
