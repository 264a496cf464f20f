"""What the options of a task may be: whoever gives something else is told where it is written, and not when it first runs."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from umbel import clock
from umbel.wire.brief import brief

_RATE = r"\d+(\.\d+)?(/[smh])?"
_NEAR = 0.8
"""So much alike are an option and its slip of the pen; what is less like any is an attribute of the user's own."""
_OF_DECORATOR = ("name", "base", "bind", "shared", "filter", "lazy")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < clock.FARTHEST


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _flag(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _errors(value: Any) -> bool:
    several = (value,) if isinstance(value, type) or not isinstance(value, Iterable) else value
    return not isinstance(value, (str, bytes)) and all(
        isinstance(each, type) and issubclass(each, BaseException) for each in several
    )


def _rate(value: Any) -> bool:
    return _number(value) or (isinstance(value, str) and re.fullmatch(_RATE, value.strip()) is not None)


def _destination(value: Any) -> bool:
    return _text(value) or hasattr(value, "name")  # which of those, calls know


def _priority(value: Any) -> bool:
    return _whole(value) and value <= 255


def _expiry(value: Any) -> bool:
    return _number(value) or isinstance(value, (str, datetime.datetime))


def _retry(value: Any) -> bool:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return False
    return value.get("max_retries") is None or _whole(value["max_retries"])


_FLAG = (_flag, "True or False")
_NUMBER = (_number, "a number from 0")
_ERRORS = (_errors, "an exception class, or a tuple of them")
_MAPPING = (lambda value: isinstance(value, Mapping), "a dict")

KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_text, "text"),
    "bind": _FLAG,
    "shared": _FLAG,
    **dict.fromkeys(("typing", "trail", "send_events", "retry_jitter", "acks_late", "acks_on_failure_or_timeout"), _FLAG),
    **dict.fromkeys(("acks_on_failure", "acks_on_timeout", "reject_on_worker_lost", "retry_on_worker_lost"), _FLAG),
    **dict.fromkeys(("ignore_result", "store_errors_even_if_ignored", "store_eager_result", "track_started", "pydantic"), _FLAG),
    "pydantic_strict": _FLAG,
    "pydantic_context": _MAPPING,
    "pydantic_dump_kwargs": _MAPPING,
    "max_retries": (_whole, "a whole number from 0, or None"),
    "resultrepr_maxsize": (_whole, "a whole number from 0"),
    "default_retry_delay": _NUMBER,
    "retry_backoff": (lambda value: _flag(value) or _number(value), "True, False or a number from 0"),
    "retry_backoff_max": _NUMBER,
    "retry_kwargs": (_retry, "a dict of what `retry` takes"),
    **dict.fromkeys(("autoretry_for", "dont_autoretry_for", "throws"), _ERRORS),
    "time_limit": (_number, "a number of seconds"),
    "soft_time_limit": (_number, "a number of seconds"),
    "rate_limit": (_rate, "a number, or text as '10/m'"),
    "serializer": (_text, "the name of a serializer"),
    "compression": (_text, "the name of a compression"),
    "queue": (_destination, "the name of a queue"),
    "exchange": (_destination, "the name of an exchange"),
    "routing_key": (_text, "text"),
    "priority": (_priority, "a whole number, 0 to 9"),
    "expires": (_expiry, "seconds, or a time"),
    "delivery_mode": (lambda value: value in (1, 2, "transient", "persistent"), "1 (transient) or 2 (persistent)"),
}
"""Of each option: what fits, and what is expected. None fits everywhere: it says nothing."""


def misfit(name: str, value: Any) -> str | None:
    """What is wrong with giving an option this value; None if nothing is."""
    found = KINDS.get(name)
    if found is None or value is None:
        return None
    fits, expected = found
    with suppress(Exception):  # comparing or iterating runs code of the value's class
        if fits(value):
            return _of_call(name, value)
    return f"{name} must be {expected}, not {brief(value)}"


OF_CALLS = frozenset({"time_limit", "soft_time_limit", "queue", "exchange", "expires", "routing_key"})
"""Options that a task has for all its calls, and whose values fit there or nowhere."""


def _of_call(name: str, value: Any) -> str | None:
    """What each call with this option would be refused for."""
    if name not in OF_CALLS and name != "retry_kwargs":
        return None
    from umbel.messages.options import checked, read  # few tasks have any, and no others need what looks at calls

    if name == "retry_kwargs":
        return _told(lambda: checked(name, {key: said for key, said in value.items() if key != "max_retries"}))
    return _told(lambda: read(name, value))


def _told(look: Callable[[], object]) -> str | None:
    try:
        look()
    except ValueError as problem:
        return str(problem)
    return None


def check(task: str, options: Mapping[str, Any], base: type) -> None:
    """Raise TypeError for an option that nobody knows and that looks like one, ValueError for a value that means nothing."""
    for option, value in options.items():
        wrong = misfit(option, value)
        if wrong:
            raise ValueError(f"{task}: {wrong}")
        if option not in KINDS and option not in _OF_DECORATOR and not hasattr(base, option):
            near = _nearest(option)
            if near:
                raise TypeError(f"{task}: there is no option {option!r}; did you mean {near!r}?")
    check_limits(task, options.get("soft_time_limit"), options.get("time_limit"))


def check_limits(task: str, soft: Any, hard: Any) -> None:
    """Raise ValueError for a soft limit that would never pass."""
    if _number(soft) and _number(hard) and soft and hard and soft > hard:
        raise ValueError(f"{task}: soft_time_limit = {soft:g} is longer than time_limit = {hard:g}")


def _nearest(option: str) -> str | None:
    import difflib  # where something is wrong, or the user's own

    return next(iter(difflib.get_close_matches(option, (*KINDS, *_OF_DECORATOR), n=1, cutoff=_NEAR)), None)
