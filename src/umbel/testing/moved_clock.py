"""A clock that stands still, and jumps when it is told to."""

from __future__ import annotations

import datetime
import time
from types import TracebackType
from typing import Self

from umbel import clock


class MovedClock:
    """Takes the place of umbel's wall clock inside `with`. It does not change `time.time()` or `datetime.now()`."""

    def __init__(self, at: datetime.datetime | float | None = None):
        self._now = time.time() if at is None else at.timestamp() if isinstance(at, datetime.datetime) else float(at)
        self._real = clock.now

    @property
    def now(self) -> datetime.datetime:
        """What time it is, in UTC."""
        return datetime.datetime.fromtimestamp(self._now, datetime.UTC)

    def advance(self, seconds: float | datetime.timedelta = 0.0, **more: float) -> None:
        """Go on by so many seconds, or by what a timedelta takes: `advance(days=3, hours=1)`."""
        step = seconds if isinstance(seconds, datetime.timedelta) else datetime.timedelta(seconds=seconds)
        total = (step + datetime.timedelta(**more)).total_seconds()
        if total < 0:
            raise ValueError("the clock goes only forward")
        self._now += total

    def go_to(self, moment: float) -> None:
        """Go on to that moment (seconds since the epoch), if it is not past."""
        self._now = max(self._now, moment)

    def _ask(self) -> float:
        return self._now

    def __enter__(self) -> Self:
        self._real, clock.now = clock.now, self._ask
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        clock.now = self._real
