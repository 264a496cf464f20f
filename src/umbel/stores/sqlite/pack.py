"""Many blobs in one parameter, and many rows in one: a batch costs a fixed number of steps of SQLite.

`sqlite3` lets go of the interpreter lock at every step, that is at every row written by `executemany` and at every row fetched.
While another thread is busy, getting it back takes up to five milliseconds: a batch of 1,000 took 450 ms beside one busy thread,
and takes 16 ms so. Alone it is faster too: 0.8 µs instead of 1.4 for each envelope (`benchmarks/stores.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import msgspec

JOINED_BYTES = 64 << 20
"""In one parameter, save for a single blob: SQLite takes up to a gigabyte at once."""
SIZE_BITS = 31
NANO = 1_000_000_000

BLOB = f"substr(?, {{0}} >> {SIZE_BITS}, {{0}} & {(1 << SIZE_BITS) - 1})"
"""SQL: the blob that a mark stands for, out of the parameter in which all are joined."""
GLUE = "CAST(group_concat({}, '') AS BLOB)"
"""SQL: all blobs of a column in one. SQLite joins bytes as they are; that they are no text does not matter to it."""

to_json = msgspec.json.Encoder().encode
from_json = msgspec.json.Decoder().decode


def text(value: Any) -> str:
    """`value` (a list, a dict) as JSON, for SQLite's `json_each`."""
    return to_json(value).decode()


def join(blobs: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """All blobs in one, and a mark for each (where it begins, counted from 1, and how long it is)."""
    sizes = list(map(len, blobs))
    marks = [start << SIZE_BITS | size for start, size in zip(accumulate(sizes, initial=1), sizes, strict=False)]
    return b"".join([*blobs, b"\0"]), marks  # never empty: a part of an empty blob is NULL to SQLite


def split(joined: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """The blobs again."""
    start = 0
    for size in sizes:
        yield joined[start : start + size]
        start += size


def whole(seconds: float) -> int:
    """A moment in whole nanoseconds: as such it goes through JSON exactly, which SQLite's JSON does not do for fractions."""
    full, part = divmod(seconds, 1.0)
    return int(full) * NANO + round(part * NANO)


def moment(nanoseconds: int) -> float:
    """The moment again, to the last bit if it is one since 1971: floats stand wider apart there."""
    return nanoseconds / NANO
