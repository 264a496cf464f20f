"""`celery call`: umbel's."""

from __future__ import annotations

from celery.bin.base import derived
from umbel.cli.call import call as own

call = derived(own, own.callback)  # type: ignore[arg-type]  # it has one


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
