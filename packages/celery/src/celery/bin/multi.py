"""`celery multi`: starts and stops several workers in the background, each found again by its pidfile."""

from __future__ import annotations

from celery.bin.base import renamed
from umbel.cli.multi import MultiTool as MultiTool
from umbel.cli.multi import multi as multi

multi.help = renamed(multi.help)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
