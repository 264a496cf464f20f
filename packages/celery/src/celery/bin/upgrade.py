"""`celery upgrade settings`: rewrites old names of settings in a file."""

from __future__ import annotations

from umbel.cli.upgrade import upgrade as upgrade


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
