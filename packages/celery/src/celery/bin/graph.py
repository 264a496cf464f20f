"""`celery graph`: draws the parts of a worker, or the workers."""

from __future__ import annotations

from umbel.cli.graph import graph as graph


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
