"""Ids of tasks: UUIDv7 (RFC 9562), so that text order is the order of making and stores append instead of scattering.

tttttttt-tttt-7ccc-vrrr-rrrrrrrrrrrr
└ 48 bits ms ┘  │   └ the variant and 62 random bits from the system: forks and threads never share them
                └ 12 bits: the fraction of the millisecond, counted on when several ids fall into one
"""

from __future__ import annotations

import os

from umbel import clock

_STEPS = 4096  # what the 12 bits hold
_middles: list[str] = []  # of all steps, made with the first batch
_NOISE, _VARIANT_BIT = 2**62 - 1, 2**63
_VARIANT = bytes(0x80 | (byte & 0x3F) for byte in range(256))

_ASTRAY = 60_000 * _STEPS
"""A clock that was put back by more than a minute had been wrong, and ids follow it: they also tell when something was made."""

_newest = 0  # In steps since the epoch. An update lost between threads costs order within one step, never uniqueness.


def new_ids(count: int) -> list[str]:
    """`count` fresh ids, ascending."""
    global _newest
    if not _middles:
        _middles[:] = [f"-7{step:03x}-" for step in range(_STEPS)]
    first = int(clock.now() * 1000 * _STEPS)
    if first <= _newest < first + _ASTRAY:
        first = _newest + 1
    _newest = first + count - 1
    tails = _tails(count)
    ids: list[str] = []
    while (made := len(ids)) < count:
        millisecond, step = divmod(first + made, _STEPS)
        stamp = f"{millisecond:012x}"
        front = f"{stamp[:8]}-{stamp[8:]}"
        middles = _middles[step : step + count - made]
        ids += [f"{front}{middle}{tail[:4]}-{tail[4:]}" for middle, tail in zip(middles, tails[made:], strict=False)]
    return ids


def new_id() -> str:
    """One fresh id."""
    global _newest
    step = int(clock.now() * 1000 * _STEPS)
    if step <= _newest < step + _ASTRAY:
        step = _newest + 1
    _newest = step
    front = step >> 12 << 16 | 0x7000 | step & 0xFFF
    text = (front << 64 | _VARIANT_BIT | int.from_bytes(os.urandom(8)) & _NOISE).to_bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived(name: str, moment: float) -> str:
    """The id of what is due at `moment` under that name: whoever makes it makes the same, and its time is the moment."""
    from hashlib import blake2b  # here, because only schedules need it

    step = int(moment * 1000 * _STEPS)
    known = f"{name}\0{round(moment * 1_000_000)}".encode()
    noise = int.from_bytes(blake2b(known, digest_size=8).digest()) & _NOISE
    front = step >> 12 << 16 | 0x7000 | step & 0xFFF
    text = (front << 64 | _VARIANT_BIT | noise).to_bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _tails(count: int) -> list[str]:
    """Variant and random bits, 16 hex digits each."""
    noise = bytearray(os.urandom(8 * count))
    noise[::8] = noise[::8].translate(_VARIANT)
    return noise.hex("-", 8).split("-")
