"""What an event is: a dict with `type`, `timestamp`, who tells it, and the fields of its type.

    {"type": "task-succeeded", "hostname": "w1@host", "pid": 7, "clock": 9, "timestamp": 1795212706.2, "utcoffset": 0.0,
     "uuid": "5aa3e2bb-…", "result": "2", "runtime": 2.0}

A type is a group and a subject: `task-succeeded`, `worker-heartbeat`. Its routing key has a dot in place of each dash. Events of
tasks may travel many in one message, with the key `task.multi`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from umbel import clock

Event = dict[str, Any]

MULTI = "multi"
"""The subject under which many events of one group travel together."""


def event(type: str, fields: Mapping[str, Any] | None = None, /, **more: Any) -> Event:
    """An event of that type, which happens now unless a timestamp is given."""
    made: Event = {**(fields or {}), **more, "type": type}
    if "timestamp" not in made:
        made["timestamp"] = clock.now()
    return made


def group_of(type: str) -> str:
    """`task`, of `task-succeeded`."""
    return type.partition("-")[0]


def key_of(type: str) -> str:
    """The routing key of events of that type."""
    return type.replace("-", ".")


def utc_offset() -> int:
    """How many hours this machine's clock is behind UTC (negative east of it), as events tell it."""
    return (time.altzone if time.localtime().tm_isdst > 0 else time.timezone) // 3600


def is_meant(pattern: str, key: str) -> bool:
    """True if a routing key is among those of `pattern`: `#` stands for any words, `*` for one."""
    if pattern == "#":
        return True
    return _matches(pattern.split("."), key.split("."))


def _matches(wanted: list[str], words: list[str]) -> bool:
    if not wanted:
        return not words
    first, *rest = wanted
    if first == "#":
        return any(_matches(rest, words[start:]) for start in range(len(words) + 1))
    if not words:
        return False
    return first in ("*", words[0]) and _matches(rest, words[1:])
