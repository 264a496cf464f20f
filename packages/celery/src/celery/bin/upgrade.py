"""`celery upgrade`: later."""

from __future__ import annotations

from celery.bin._later import later

upgrade = later("upgrade", "old names of settings are understood as they are")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
