"""Schedules from what people and stores write."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from umbel.errors import ScheduleError
from umbel.schedules.clocked import clocked
from umbel.schedules.crontab import crontab
from umbel.schedules.interval import schedule
from umbel.schedules.schedule import HasZone, Schedule


def from_data(data: dict[str, Any]) -> Schedule:
    """The schedule that `as_data` described; ScheduleError if its class is not loaded here, or the data do not fit it.

    Nothing is imported by name: what stands in a store must not choose the code that runs.
    """
    kind = data.get("kind")
    found = Schedule.kinds.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise ScheduleError(f"no schedule of kind {kind!r} is loaded here; import the module that defines it (setting imports)")
    try:
        return found.from_data(data)
    except ScheduleError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ScheduleError(f"the data of a schedule of kind {kind!r} do not fit it: {error}") from error


def maybe_schedule(
    words: Schedule | float | timedelta | datetime | str, relative: bool = False, app: HasZone | None = None
) -> Schedule:
    """The schedule that the words mean; one is itself.

    Seconds or a timedelta are an interval, text is a crontab's line, and a datetime comes once.
    """
    if isinstance(words, Schedule):
        if app is not None:
            words.app = app
        return words
    if isinstance(words, str):
        return crontab.from_string(words, app=app)
    if isinstance(words, datetime):
        return clocked(words, app=app)
    return schedule(words, relative, app=app)
