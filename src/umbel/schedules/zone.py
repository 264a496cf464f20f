"""Time zones as stretches of one offset each, in whole seconds: what the rule for clock changes is written in.

wall   03:00 ┤          gap ╱        fold  ╱╲  ╱         A wall time is seconds since 1970-01-01 00:00 as the clock on the wall
             │            ╱│             ╱   ╲╱          shows them; a moment is seconds since the epoch.
       02:00 ┤         ╱╱  │           ╱                 moment + offset = wall time, within one stretch.
             └────────┴────┴───────────┴───────  moment
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from umbel.errors import ScheduleError

DAY = 86_400
_SPAN = 365 * DAY  # how much of a zone is worked out at a time
_BACK = 2 * DAY  # no clock was ever put back by more than a day; what it showed before matters so long
_STEP = 12 * 3600  # zones were never changed twice within so short a time (tests/schedules/test_zone.py looks)
_SECOND = timedelta(seconds=1)
_ROOM = 4096  # spans kept: a year of six hundred zones, seven times
_LAST = int(datetime.max.replace(tzinfo=UTC).timestamp()) - 2 * DAY  # behind it some zones have no datetime any more


class Stretch(NamedTuple):
    """A time within which the clock goes evenly."""

    start: int
    """The first moment."""
    end: int
    """The first moment behind it."""
    offset: int
    """How far the clock on the wall is ahead of UTC."""
    reached: int
    """The wall time that the clock had reached before `start`: behind a fold later than what it shows, before a gap earlier."""


_spans: dict[tuple[int, int], tuple[tzinfo, tuple[Stretch, ...]]] = {}  # holds the zone too, so that its id stays its own


def stretches(zone: tzinfo, after: float) -> Iterator[Stretch]:
    """The stretches of a zone in order, from the one that `after` lies in up to the end of the calendar."""
    number = int(after // _SPAN)
    while number * _SPAN < _LAST:
        for stretch in _span(zone, number):
            if stretch.end > after:
                yield stretch
        number += 1


def first_moment(zone: tzinfo, wall: int) -> int | None:
    """The first moment at which the clock shows `wall` or later; None beyond the calendar."""
    for stretch in stretches(zone, wall - _BACK):
        if wall < stretch.end + stretch.offset:
            return max(stretch.start, wall - stretch.offset)
    return None


def read_zone(zone: str | tzinfo) -> tzinfo:
    """The time zone of that name: `Europe/Berlin`, or `UTC+02:00`."""
    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # unknown; no name of a file; the name of a folder
        pass
    try:
        return datetime.strptime(zone, "UTC%z").tzinfo or UTC
    except ValueError:
        if not available_timezones():
            raise ScheduleError(f"timezone {zone!r}: this machine has no list of time zones (pip install tzdata)") from None
        raise ScheduleError(f"timezone {zone!r}: no such time zone (try 'Europe/Berlin', or 'UTC')") from None


def local_zone() -> tzinfo:
    """The zone of this machine, with its changes of the clock as far as the machine tells them."""
    name = os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    try:
        return read_zone(name)
    except ScheduleError:
        local = datetime.now().astimezone().tzinfo
        assert local is not None, "an aware time has a zone"
        return local


def _span(zone: tzinfo, number: int) -> tuple[Stretch, ...]:
    """The stretches of one span, cut at its ends."""
    known = _spans.get((id(zone), number))
    if known is None:
        if len(_spans) >= _ROOM:
            _spans.clear()
        known = _spans[id(zone), number] = (zone, tuple(_work_out(zone, number * _SPAN, min((number + 1) * _SPAN, _LAST))))
    return known[1]


def _work_out(zone: tzinfo, first: int, last: int) -> Iterator[Stretch]:
    start = first - _BACK
    offset = _offset(zone, start)
    reached = start + offset
    while start < last:
        end = _change(zone, start, offset, last)
        if end > first:
            begin = max(start, first)
            yield Stretch(begin, end, offset, reached if begin == start else max(reached, begin + offset))
        reached = max(reached, end + offset)
        start, offset = end, _offset(zone, end)


def _change(zone: tzinfo, start: int, offset: int, last: int) -> int:
    """The first moment after `start` with another offset; `last` if there is none before."""
    same = start
    while same < last:
        other = min(same + _STEP, last)
        if _offset(zone, other) != offset:
            while other - same > 1:
                middle = (same + other) // 2
                if _offset(zone, middle) == offset:
                    same = middle
                else:
                    other = middle
            return other
        same = other
    return last


def _offset(zone: tzinfo, moment: int) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None, "an aware time has an offset"
    return offset // _SECOND
