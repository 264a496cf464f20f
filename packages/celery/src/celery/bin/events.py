"""`celery events`: later."""

from __future__ import annotations

from celery.bin._later import later

events = later("events", "the log of a worker with -l INFO tells of each task")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
