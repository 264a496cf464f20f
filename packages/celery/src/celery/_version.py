"""Which Celery's names these are."""

from __future__ import annotations

from collections import namedtuple  # `typing` would take longer to load than all of this

SERIES = "collider"
__version__ = "5.7.0+umbel.1"


version_info_t = namedtuple("version_info_t", ("major", "minor", "micro", "releaselevel", "serial"))  # noqa: PYI024

version_info = version_info_t(5, 7, 0, "+umbel.1", "")
VERSION = version_info
VERSION_BANNER = f"{__version__} ({SERIES})"
