"""What pools are called."""

from __future__ import annotations

from typing import Any

from celery._names import lacks


class BasePool:
    """A pool; umbel runs its own, so that this and its kin are names to ask about."""

    RUN = 0x1
    CLOSE = 0x2
    TERMINATE = 0x3

    is_green = False
    signal_safe = True
    task_join_will_block = True
    body_can_be_buffer = False
    uses_semaphore = False

    def __init__(
        self,
        limit: int | None = None,
        putlocks: bool = True,
        forking_enable: bool = True,
        callbacks_propagate: Any = (),
        app: Any = None,
        **options: Any,
    ):
        raise lacks(f"{type(self).__module__}.{type(self).__name__}()", "celery worker -P, or app.Worker(pool=…)")


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
