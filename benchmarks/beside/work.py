"""What the tasks do, the same in each system.

A task leaves the time when it ran in a file that all processes map, at the place that its argument names: that costs little, and
nothing that one system has more of than another, and it shows that each ran.
"""

from __future__ import annotations

import asyncio
import mmap
import time

from place import FOLDER

ROOM = 1 << 20
"""Times in the file; a file with holes takes no more than what is written."""
NAP = 1.0
PLAIN = ("noop", "mark", "spin", "spin_long", "large")
"""Those of which nobody wants a result."""


def _times() -> memoryview:
    with (FOLDER / "times").open("a+b") as file:
        file.truncate(8 * ROOM)
        return memoryview(mmap.mmap(file.fileno(), 8 * ROOM)).cast("d")


TIMES = _times()


def noop() -> None:
    """Nothing at all."""


def size(values: list[None]) -> int:
    """What stands behind a chord."""
    return len(values)


def mark(number: int) -> None:
    """The time, left behind."""
    TIMES[number] = time.monotonic()


def kept(number: int) -> int:
    """The same, and a result."""
    TIMES[number] = time.monotonic()
    return number


def spin(number: int) -> None:
    """A millisecond of work."""
    _work(0.001)
    TIMES[number] = time.monotonic()


def spin_long(number: int) -> None:
    """Ten of them."""
    _work(0.010)
    TIMES[number] = time.monotonic()


def _work(seconds: float) -> None:
    end = time.thread_time() + seconds  # what others take of the core meanwhile is no work
    while time.thread_time() < end:
        pass


def large(number: int, text: str) -> None:
    """The time, left behind, and a long text that is not looked at."""
    TIMES[number] = time.monotonic()


async def nap(number: int) -> None:
    """A second's sleep; times of both its ends."""
    TIMES[2 * number] = time.monotonic()
    await asyncio.sleep(NAP)
    TIMES[2 * number + 1] = time.monotonic()
