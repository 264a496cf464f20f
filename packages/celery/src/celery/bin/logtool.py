"""`celery logtool`: what the logs of workers tell of tasks."""

from __future__ import annotations

from umbel.cli.logtool import logtool as logtool


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
