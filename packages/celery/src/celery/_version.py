"""Which Celery's names these are."""

from __future__ import annotations

from typing import NamedTuple

SERIES = "collider"
__version__ = "5.7.0+umbel.1"


class version_info_t(NamedTuple):  # noqa: N801 - Celery's name
    """The parts of a version."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: str


version_info = version_info_t(5, 7, 0, "+umbel.1", "")
VERSION = version_info
VERSION_BANNER = f"{__version__} ({SERIES})"
