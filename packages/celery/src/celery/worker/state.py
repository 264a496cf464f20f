"""What a worker knows of itself; the sets stay empty, as umbel's worker keeps its book elsewhere."""

from __future__ import annotations

import os
import platform
from typing import Any
from weakref import WeakSet

from celery import _version
from celery.exceptions import WorkerShutdown, WorkerTerminate
from celery.utils.collections import LimitedSet

SOFTWARE_INFO = {"sw_ident": "umbel", "sw_ver": _version.__version__, "sw_sys": platform.system()}
REVOKES_MAX = int(os.environ.get("CELERY_WORKER_REVOKES_MAX", "50000"))
REVOKE_EXPIRES = float(os.environ.get("CELERY_WORKER_REVOKE_EXPIRES", "10800"))
SUCCESSFUL_MAX = int(os.environ.get("CELERY_WORKER_SUCCESSFUL_MAX", "1000"))
SUCCESSFUL_EXPIRES = float(os.environ.get("CELERY_WORKER_SUCCESSFUL_EXPIRES", "10800"))

requests: dict[str, Any] = {}
reserved_requests: WeakSet[Any] = WeakSet()
active_requests: WeakSet[Any] = WeakSet()
scheduled_requests: WeakSet[Any] = WeakSet()
total_count: dict[str, int] = {}
revoked = LimitedSet(maxlen=REVOKES_MAX, expires=REVOKE_EXPIRES)
revoked_stamps: dict[str, Any] = {}
successful_requests = LimitedSet(maxlen=SUCCESSFUL_MAX, expires=SUCCESSFUL_EXPIRES)

should_stop: Any = None
should_terminate: Any = None


def reset_state() -> None:
    """Forget all."""
    for each in (requests, reserved_requests, active_requests, scheduled_requests, total_count, revoked, revoked_stamps):
        each.clear()


def maybe_shutdown() -> None:
    """Raise what ends a worker, if it is to end."""
    if should_terminate not in (None, False):
        raise WorkerTerminate(should_terminate)
    if should_stop not in (None, False):
        raise WorkerShutdown(should_stop)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
