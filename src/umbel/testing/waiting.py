"""Waiting for a fact, with a deadline: how tests meet other threads and processes.

A deadline is when a test gives up, not how fast something is. So there is one for all, long enough for a machine that has other
things to do; as long as tests pass it costs nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ENOUGH = 60.0
"""Seconds after which whatever a test waits for has come true, on a machine that is not busy."""
NEVER = 3600.0
"""Seconds that no test waits: as long sleeps what a test wants to see ended, or overtaken."""
SHORTEST, LONGEST = 0.005, 0.05
"""Seconds between one look at a fact and the next."""
WISHED = float(os.environ.get("UMBEL_PATIENCE") or 1)
"""How many times longer tests are to wait on this machine, by the wish of who runs them."""


def patience(times: float = 1) -> float:
    """Seconds to wait for a fact on this machine as it is now; `times` as long for what takes many steps."""
    return ENOUGH * times * factor()


def factor() -> float:
    """How much longer than enough to wait: as wished, times the processes that share a processor."""
    return WISHED * max(1.0, sharing())


def sharing() -> float:
    """How many processes share a processor: on average of the last minute, or now, if that is more and the system tells it."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            average, _, _, now, *_ = file.read().split()
        load = max(float(average), float(now.partition("/")[0]))
    except OSError:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return load / (os.cpu_count() or 1)


def pace() -> float:
    """A clock that goes as slowly as this machine works: for what is promised within so many seconds of one that is not busy.

    It is moved on by a thread that sleeps for a moment, again and again: where that wakes up late, or processors are shared, less
    time has passed by this clock. Only differences mean something, and none across a `rest`.
    """
    global _walker
    if _walker is None or _walker.pid != os.getpid():
        _walker = _Walker()
        _walker.start()
    return _walker.walked


def rest() -> None:
    """Let that clock stand until somebody asks it again: a hundred steps a second are not for nothing."""
    global _walker
    if _walker is not None:
        _walker.over.set()
        _walker = None


class _Walker(threading.Thread):
    """Walks as fast as it is let. A forked process has one of its own."""

    STEP = 0.01
    LOOK = 10
    """After so many steps it asks again how busy the machine is."""

    def __init__(self) -> None:
        super().__init__(name="pace", daemon=True)
        self.pid = os.getpid()
        self.walked = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        shared, looked = factor(), 0
        while not self.over.wait(self.STEP):  # tests may put something else in the place of `time.sleep`
            looked = (looked + 1) % self.LOOK
            if not looked:
                shared = factor()
            self.walked += self.STEP / shared


_walker: _Walker | None = None


def until(fact: Callable[[], T], times: float = 1, *, saying: Callable[[], object] = lambda: "") -> T:
    """The first true value that `fact` gives; after the patience, `times` as long, the test fails with what `saying` gives."""
    begun = time.monotonic()
    while not (found := fact()):
        waited = time.monotonic() - begun
        assert waited < patience(times), f"it did not come true within {waited:.0f} s: {fact} {saying()}"
        time.sleep(min(max(SHORTEST, waited / 20), LONGEST))  # to look costs time that those are in need of who make it true
    return found
