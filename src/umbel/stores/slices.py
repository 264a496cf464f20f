"""Cutting what crosses a connection: by bytes first, by count second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

MOST_BYTES = 4 << 20
"""In one exchange with a store: a third of a second at 100 Mbit/s, and some 50 ms of a server that others wait for, too."""


def slices(sizes: Sequence[int], most_bytes: int | Callable[[], int] = MOST_BYTES, most: int = sys.maxsize) -> Iterator[slice]:
    """Runs of at most `most` that together stay below `most_bytes`, which may be another for each; a single one may be longer."""
    ask = most_bytes if callable(most_bytes) else lambda: most_bytes
    limit = ask() if sizes else 0
    start = total = 0
    for index, size in enumerate(sizes):
        total += size
        if (total > limit or index - start >= most) and index > start:
            yield slice(start, index)
            start, total, limit = index, size, ask()
    if start < len(sizes):
        yield slice(start, len(sizes))
