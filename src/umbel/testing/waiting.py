"""Waiting for a fact, with a deadline: how tests meet other threads and processes.

A deadline is when a test gives up, not how fast something is. So there is one for all, long enough for a machine that has other
things to do; as long as tests pass it costs nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ENOUGH = 60.0
"""Seconds after which whatever a test waits for has come true, on a machine that is not busy."""
NEVER = 3600.0
"""Seconds that no test waits: as long sleeps what a test wants to see ended, or overtaken."""
WISHED = float(os.environ.get("UMBEL_PATIENCE") or 1)
"""How many times longer tests are to wait on this machine, by the wish of who runs them."""


def patience(times: float = 1) -> float:
    """Seconds to wait for a fact on this machine as it is now; `times` as long for what takes many steps."""
    return ENOUGH * times * factor()


def factor() -> float:
    """How much longer than enough to wait: as wished, times the processes that share a processor."""
    sharing = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return WISHED * max(1.0, sharing)


def until(fact: Callable[[], T], times: float = 1, *, saying: Callable[[], object] = lambda: "") -> T:
    """The first true value that `fact` gives; after the patience, `times` as long, the test fails with what `saying` gives."""
    begun = time.monotonic()
    while not (found := fact()):
        waited = time.monotonic() - begun
        assert waited < patience(times), f"it did not come true within {waited:.0f} s: {fact} {saying()}"
        time.sleep(0.005)
    return found
