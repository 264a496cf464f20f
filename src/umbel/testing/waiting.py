"""Waiting for a fact, with a deadline: how tests meet other threads and processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(fact: Callable[[], T], timeout: float = 10.0) -> T:
    """The first true value that `fact` gives; fails if there is none in time."""
    end = time.monotonic() + timeout
    while not (found := fact()):
        assert time.monotonic() < end, f"it did not come true within {timeout} s"
        time.sleep(0.005)
    return found
