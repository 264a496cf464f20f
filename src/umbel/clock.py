"""The only place that asks what time it is, so that tests can move it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

now: Callable[[], float] = time.time
"""Seconds since the epoch, of this machine's wall clock."""

monotonic: Callable[[], float] = time.monotonic
"""Seconds of a clock that only goes forward; for durations."""


FARTHEST = 1e10
"""Seconds, some three hundred years: nothing is asked to be farther away, or to last longer."""


def utc(seconds: float | None = None) -> datetime.datetime:
    """`seconds` since the epoch (default: now) as an aware datetime in UTC."""
    return datetime.datetime.fromtimestamp(now() if seconds is None else seconds, datetime.UTC)
