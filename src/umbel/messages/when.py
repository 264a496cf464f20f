"""Moments as options give them (seconds from now, dates, ISO text), turned into what headers and brokers want."""

from __future__ import annotations

import datetime

from umbel import clock

Moment = float | str | datetime.datetime


def start(eta: datetime.datetime | str | None, countdown: float | None) -> tuple[str | None, float | None]:
    """When a run may begin: as ISO text for the headers, and in seconds since the epoch for the broker."""
    if eta is not None:
        when = absolute(eta)
        return when.isoformat(), when.timestamp()
    if countdown is not None:
        due = clock.now() + countdown
        return clock.utc(due).isoformat(), due
    return None, None


def expiry(expires: Moment | None) -> str | None:
    """After what time a run is of no use any more, as ISO text; a number is seconds from now."""
    if expires is None or isinstance(expires, str):
        return expires
    if isinstance(expires, datetime.datetime):
        return absolute(expires).isoformat()
    return clock.utc(clock.now() + expires).isoformat()


def absolute(moment: datetime.datetime | str) -> datetime.datetime:
    """The moment with its offset; one without is UTC."""
    when = datetime.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
