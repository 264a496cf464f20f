"""`celery graph`: later."""

from __future__ import annotations

from celery.bin._later import later

graph = later("graph", "`celery report`")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
