"""What the worker of this process has in hand, for its own commands and hooks; empty where there is none.

An element is the request that signals hand to their receivers, with `id`, `name`, `args` in its `delivery` and so on.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from weakref import WeakSet, ref

from celery import _version
from celery.exceptions import WorkerShutdown, WorkerTerminate
from celery.utils.collections import LimitedSet
from umbel import signals

SOFTWARE_INFO = {"sw_ident": "umbel", "sw_ver": _version.__version__, "sw_sys": platform.system()}
REVOKES_MAX = int(os.environ.get("CELERY_WORKER_REVOKES_MAX", "50000"))
REVOKE_EXPIRES = float(os.environ.get("CELERY_WORKER_REVOKE_EXPIRES", "10800"))
SUCCESSFUL_MAX = int(os.environ.get("CELERY_WORKER_SUCCESSFUL_MAX", "1000"))
SUCCESSFUL_EXPIRES = float(os.environ.get("CELERY_WORKER_SUCCESSFUL_EXPIRES", "10800"))

_worker: ref[Any] | None = None


def remember(sender: Any, **_: Any) -> None:
    """Look at this worker from now on."""
    global _worker
    _worker = ref(sender)


def _look(wanted: Callable[[Any], Any], otherwise: Any) -> Any:
    """What a look at the worker gives, on its loop."""
    worker = _worker and _worker()
    if worker is None or worker._loop is None or not worker._loop.is_running():
        return otherwise
    try:
        if asyncio.get_running_loop() is worker._loop:
            return wanted(worker)
    except RuntimeError:
        pass

    async def look() -> Any:
        return wanted(worker)

    return asyncio.run_coroutine_threadsafe(look(), worker._loop).result()


def _held(worker: Any) -> list[Any]:
    return list(worker.book.values())


def _running(worker: Any) -> list[Any]:
    return [ticket for each in worker.pool.running() if (ticket := worker.book.get(each.number)) is not None]


class _Requests(AbstractSet[Any]):
    """Those that the worker holds now."""

    def __init__(self, wanted: Callable[[Any], list[Any]]):
        self._wanted = wanted

    @classmethod
    def _from_iterable(cls, it: Any) -> Any:
        return list(it)

    def _all(self) -> list[Any]:
        return _look(self._wanted, [])  # type: ignore[no-any-return]  # a list

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, request: object) -> bool:
        return any(each is request for each in self._all())


class _ById(Mapping[str, Any]):
    """The same by the ids of their tasks."""

    def _all(self) -> dict[str, Any]:
        return {request.id: request for request in reserved_requests}

    def __getitem__(self, id: str) -> Any:
        return self._all()[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class _Totals(Mapping[str, int]):
    """How many runs of each task have ended."""

    def _all(self) -> dict[str, int]:
        return _look(lambda worker: dict(worker.book.totals), {})  # type: ignore[no-any-return]  # a dict

    def __getitem__(self, name: str) -> int:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


requests: Mapping[str, Any] = _ById()
reserved_requests: AbstractSet[Any] = _Requests(_held)
active_requests: AbstractSet[Any] = _Requests(_running)
scheduled_requests: WeakSet[Any] = WeakSet()
total_count: Mapping[str, int] = _Totals()
revoked = LimitedSet(maxlen=REVOKES_MAX, expires=REVOKE_EXPIRES)
revoked_stamps: dict[str, Any] = {}
successful_requests = LimitedSet(maxlen=SUCCESSFUL_MAX, expires=SUCCESSFUL_EXPIRES)

should_stop: Any = None
should_terminate: Any = None


def reset_state() -> None:
    """Forget all that is kept here; what the worker has in hand it keeps."""
    for each in (scheduled_requests, revoked, revoked_stamps):
        each.clear()


def maybe_shutdown() -> None:
    """Raise what ends a worker, if it is to end."""
    if should_terminate not in (None, False):
        raise WorkerTerminate(should_terminate)
    if should_stop not in (None, False):
        raise WorkerShutdown(should_stop)


signals.worker_init.connect(remember)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
