"""When an entry is due, as people write it into a form: `every 5 min`, `30 4 * * mon`, or a moment."""

from __future__ import annotations

import datetime
import re

from django.utils import timezone

from umbel.schedules import Schedule, ScheduleError, clocked, crontab, schedule

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\b\s*,?", re.IGNORECASE)
HELP = (
    "every 30 s, every 2 h 30 min; a crontab's line (minute, hour, day of the month, month, day of the week): 30 4 * * mon; "
    "or once, at 2030-01-31 12:00"
)


def read(text: str) -> Schedule:
    """The schedule that is meant; ScheduleError if none is."""
    text = text.strip()
    if text.lower().startswith("every "):
        return schedule(_seconds(text))
    try:
        moment = datetime.datetime.fromisoformat(text.lower().removeprefix("once").strip(" ,").removeprefix("at ").strip())
    except ValueError:
        return crontab.from_string(text)
    return clocked(moment if moment.tzinfo else moment.replace(tzinfo=timezone.get_current_timezone()))


def _seconds(text: str) -> float:
    rest, total = text[len("every ") :], 0.0
    while rest.strip():
        found = _PART.match(rest)
        if found is None:
            raise ScheduleError(f"{text!r} is no interval; write it as: every 30 s, every 15 min, every 2 h")
        total += float(found[1]) * _UNITS[found[2][0].lower()]
        rest = rest[found.end() :]
    return total


def write(found: Schedule) -> str:
    """The text that means it; for kinds that have none, what it says of itself."""
    if isinstance(found, crontab):
        return found.line()
    if isinstance(found, clocked):
        return str(found.as_data()["args"][0])
    if isinstance(found, schedule):
        return f"every {found.seconds:g} s"
    return str(found)
