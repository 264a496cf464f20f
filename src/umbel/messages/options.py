"""What the options of one call may be: whoever gives something else is told at once, and not by a worker."""

from __future__ import annotations

import datetime
import enum
import os
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from umbel import clock
from umbel.canvas.settle import copied
from umbel.canvas.shape import CHUNKS, inside, kind
from umbel.messages import when
from umbel.settings.kinds import wrong_with_policy
from umbel.wire.brief import brief, encodable

Options = dict[str, Any]

LARGEST = 2**31 - 1
"""Of the numbers that headers hold."""
HIGHEST = 9
"""The most urgent priority."""
RESERVED = "umbel."
"""Begins the names of umbel's own keys on Redis, where a queue's name is a key, too."""


def checked(name: str, options: Mapping[str, Any]) -> Options:
    """The options of a call of the task `name` that say something, as plain values; ValueError if one cannot mean anything."""
    found = {}
    for option, given in options.items():
        value = given
        if given is not None and option in _KNOWN:
            try:
                value = read(option, given)
            except Unfit as problem:
                raise ValueError(f"{name}: {problem}") from None
        if value is not None:
            found[option] = value
    soft = found.get("soft_time_limit")
    if soft is not None and "time_limit" in found and soft > found["time_limit"]:
        raise ValueError(f"{name}: soft_time_limit = {soft:g} is longer than time_limit = {found['time_limit']:g}")
    return found


def read(option: str, given: Any) -> Any:
    """The value of an option that is known here, as a plain one; Unfit begins with the option's name."""
    reader, wanted = _KNOWN[option]
    try:
        return reader(given)
    except Exception as problem:  # comparing, hashing or reading a value runs code of its class
        told = str(problem) if type(problem) is Unfit else f"must be {wanted}, not {brief(given)}"
        raise Unfit(f"{option} {told}") from None


class Unfit(ValueError):
    """Says itself what is wrong with a value."""


def signatures(given: Any) -> list[Any] | None:
    """One signature (or task) or several as dicts, which is what travels; None for none."""
    if given is None:
        return None
    several = [given] if isinstance(given, (Mapping, str)) or not isinstance(given, Iterable) else given
    return [_signature(each) for each in several] or None


def _body(given: Any) -> Any:
    """What a chord ends with; its own options are looked at when it is sent."""
    found = given if isinstance(given, Mapping) else given.s()
    if not isinstance(found.get("task"), str):
        raise TypeError(given)
    return found


def _chain(given: Any) -> list[Any]:
    """An empty one stays, as it does in the last step of a chain of Celery's."""
    return signatures(given) or []


PARTS: tuple[tuple[str, tuple[type, ...]], ...] = (("args", (list, tuple)), ("kwargs", (dict,)), ("options", (dict,)))
"""What the parts of a signature are, where it has them."""


def _signature(each: Any) -> Any:
    found = each if isinstance(each, Mapping) else each.s()  # of a task, or what stands for one
    if not isinstance(found.get("task"), str):
        raise TypeError(each)
    for part, kinds in PARTS:
        if found.get(part) is not None and not isinstance(found[part], kinds):
            raise Unfit(f"holds a call of {found['task']} whose {part} are {brief(found[part], 100)}")
    said = _mapping(found.get("options") or {})
    try:
        if found["task"] != CHUNKS and kind(found) is not None:
            return sendable(found)
        odd = _odd_ones(found["task"], said)
    except ValueError as problem:
        raise Unfit(f"holds a call that cannot be sent: {problem}") from None
    return {**found, "options": {**said, **odd}} if odd else found


def sendable(canvas: Any) -> Any:
    """A copy whose options are plain values; ValueError for what could not be sent later, when nobody is there to be told."""
    found = copied(canvas)
    left = [found]
    while left:
        sig = left.pop()
        if sig["options"]:
            sig["options"].update(_odd_ones(sig["task"], sig["options"]))
        left += inside(sig)
    return found


def _odd_ones(name: str, said: Mapping[str, Any]) -> Options:
    """Of the options of a signature of the task `name` those that do not travel as they are, as plain values.

    ValueError if one cannot mean anything.
    """
    plain = checked(name, said)
    return {option: plain[option] for option, value in said.items() if option in plain and not isinstance(value, _TRAVELS)}


_TRAVELS = (str, int, float, dict, list, tuple, Decimal, datetime.datetime, type(None))
"""What is written in the options of a signature as it was given; of other things what they are read as is."""


def queue_name(thing: Any) -> str:
    """The name of a queue, given as its name or as an object that has one; ValueError if no queue can be called so."""
    name = _named(thing)
    if not isinstance(name, str):
        raise TypeError(thing)
    if not name:
        raise Unfit("must be the name of a queue, and it is empty")
    if "\0" in name or encodable(name) is not name:
        raise Unfit(f"= {name!r} holds a character that no queue's name may have")
    if name.startswith(RESERVED):
        raise Unfit(f"= {name!r} is umbel's own: no queue's name begins with {RESERVED!r}")
    return _text(name)


def name_of(thing: Any) -> str:
    """The name of a queue or exchange, given as its name or as an object that has one."""
    return _text(_named(thing))


def bears_name(thing: Any) -> bool:
    """True if this may stand for a queue or an exchange by its name; those of tasks, files and members of enums are others."""
    return not isinstance(thing, (str, enum.Enum, os.PathLike)) and not hasattr(thing, "apply_async") and hasattr(thing, "name")


def _named(thing: Any) -> Any:
    if isinstance(thing, str):
        return thing
    if isinstance(thing, enum.Enum):
        return thing.value
    if not bears_name(thing):
        raise TypeError(thing)
    return thing.name


def _queue(thing: Any) -> Any:
    """A plain name; what says more than its name stays what it is."""
    name = queue_name(thing)
    return thing if bears_name(thing) else name


def _exchange(thing: Any) -> Any:
    name = name_of(thing)
    return thing if bears_name(thing) else name


def _text(value: Any) -> str:
    """Text, of which UTF-8 has each character; members of an enum as what they stand for."""
    if type(value) is str and value.isascii():
        return value
    if not isinstance(value, str) or encodable(value) is not value:
        raise TypeError(value)
    return value if type(value) is str else str.__str__(value)


def _word(value: Any) -> str:
    if not value:
        raise ValueError(value)
    return _text(value)


def _seconds(value: Any) -> float:
    seconds: float = int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)) or not abs(seconds) < clock.FARTHEST:
        raise TypeError(value)
    return seconds


def _limit(value: Any) -> float:
    seconds = _seconds(value)
    if not 0 <= seconds <= LARGEST:
        raise ValueError(value)
    return seconds


def _moment(value: Any) -> str | datetime.datetime:
    when.absolute(value).timestamp()  # raises what is no moment
    return _text(value) if isinstance(value, str) else value


def _expiry(value: Any) -> float | str | datetime.datetime:
    return _seconds(value) if isinstance(value, (Real, Decimal)) else _moment(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(value)
    if not 0 <= int(value) <= LARGEST:
        raise Unfit(f"must be 0 or more, and less than 2³¹, not {brief(value)}")
    return int(value)


def _priority(value: Any) -> int:
    """0 to 9; what is beyond (RabbitMQ takes up to 255) counts as the nearest."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal, str)):
        raise TypeError(value)
    number: Any = value
    return max(0, min(HIGHEST, int(number)))


def _delivery_mode(value: Any) -> int | None:
    """None for the usual one."""
    return {1: 1, 2: None, "transient": 1, "persistent": None}[value]


def _truth(value: Any) -> bool:
    if value not in (True, False):
        raise ValueError(value)
    return bool(value)


def _mapping(value: Any) -> dict[str, Any]:
    if not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise TypeError(value)
    return dict(value)


def _policy(value: Any) -> dict[str, Any]:
    found = _mapping(value)
    if wrong := wrong_with_policy(found):
        raise Unfit(wrong)
    return found


def _words(value: Any) -> list[str]:
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise TypeError(value)
    return [_text(each) for each in value]


_SIGNATURES = (signatures, "a signature, or a list of them")
_TEXT = (_text, "text")
_WORD = (_word, "a name")
_ID = (_text, "the text of an id")
_LIMIT = (_limit, "a number of seconds")
_COUNT = (_count, "a whole number")
_TRUTH = (_truth, "True or False")

_KNOWN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "task_id": _ID,
    "countdown": (_seconds, "a number of seconds"),
    "eta": (_moment, "a datetime or a time in ISO 8601"),
    "expires": (_expiry, "a number of seconds, a datetime or a time in ISO 8601"),
    "time_limit": _LIMIT,
    "soft_time_limit": _LIMIT,
    "priority": (_priority, "a whole number, 0 to 9"),
    "retries": _COUNT,
    "queue": (_queue, "the name of a queue"),
    "exchange": (_exchange, "the name of an exchange"),
    "routing_key": _TEXT,
    "delivery_mode": (_delivery_mode, "1 (transient) or 2 (persistent)"),
    "serializer": _WORD,
    "compression": _WORD,
    "headers": (_mapping, "a mapping"),
    "link": _SIGNATURES,
    "link_error": _SIGNATURES,
    "chain": (_chain, "a list of signatures"),
    "chord": (_body, "a signature"),
    "shadow": _TEXT,
    "reply_to": _TEXT,
    "ignore_result": _TRUTH,
    "add_to_parent": _TRUTH,
    "root_id": _ID,
    "parent_id": _ID,
    "group_id": _ID,
    "group_index": _COUNT,
    "argsrepr": _TEXT,
    "kwargsrepr": _TEXT,
    "origin": _TEXT,
    "replaced_task_nesting": _COUNT,
    "stamped_headers": (_words, "a list of names"),
    "retry": _TRUTH,
    "retry_policy": (_policy, "a mapping"),
    "properties": (_mapping, "a mapping"),
}
