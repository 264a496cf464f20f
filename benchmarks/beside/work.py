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


def _times() -> memoryview:
    with (FOLDER / "times").open("a+b") as file:
        file.truncate(8 * ROOM)
        return memoryview(mmap.mmap(file.fileno(), 8 * ROOM)).cast("d")


TIMES = _times()


def noop() -> None:
    """Nothing at all."""


def mark(number: int) -> None:
    """The time, left behind."""
    TIMES[number] = time.monotonic()


def kept(number: int) -> int:
    """The same, and a result."""
    TIMES[number] = time.monotonic()
    return number


async def nap(number: int) -> None:
    """A second's sleep; times of both its ends."""
    TIMES[2 * number] = time.monotonic()
    await asyncio.sleep(NAP)
    TIMES[2 * number + 1] = time.monotonic()
