"""`celery inspect`, `control` and `status`: later."""

from __future__ import annotations

from celery.bin._later import later
from umbel.cli.failure import NO_REPLY

EX_UNAVAILABLE = NO_REPLY

inspect = later("inspect", "`celery queues` shows what waits and what is held", EX_UNAVAILABLE)
control = later("control", "`celery revoke` revokes tasks, signals stop workers", EX_UNAVAILABLE)
status = later("status", "`celery queues` shows what waits and what is held", EX_UNAVAILABLE)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
