"""`celery logtool`: later."""

from __future__ import annotations

from celery.bin._later import later

logtool = later("logtool", "grep, as the lines of the log are those of Celery")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
