"""`celery migrate`: later."""

from __future__ import annotations

from celery.bin._later import later

migrate = later("migrate", "let a worker of the old broker finish what waits there")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
