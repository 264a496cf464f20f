"""A child's life, by way of those functions of billiard's and Celery's that others patch in order to do something at its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from umbel import guise, signals
from umbel.pools import child


def begin(sender: Any, **_: Any) -> None:
    """Let the children of this worker live so."""
    import billiard.process  # noqa: F401 - once here, not in each child, to which it tells its name and number

    child.around = partial(live, sender.app, sender.hostname)


def live(app: Any, hostname: str, life: Callable[[], None]) -> None:
    """One child, from its beginning to its end: `process_initializer`, `Worker.workloop` around all, and what is called last."""
    me = sys.modules["billiard.process"].current_process()
    me.name, me.index = guise.worn().child.format(child.index), child.index - 1
    prefork = sys.modules.get("celery.concurrency.prefork")  # who has patched something there has loaded it
    if prefork is not None:
        prefork.process_initializer(app, hostname)
    try:
        _through("workloop", life)
    finally:
        if prefork is not None:
            prefork.process_destructor(os.getpid(), 0)
        _through("_do_exit", _nothing, os.getpid(), 0)


def _nothing() -> None:
    """All is done."""


def _through(name: str, inner: Callable[[], None], *arguments: Any) -> None:
    """Run `inner` in the place of what billiard itself does in that method of its workers, inside of all that is around it."""
    pool = sys.modules.get("billiard.pool")
    method = getattr(pool.Worker, name) if pool is not None else None
    code = getattr(method, "__code__", None)
    if pool is None or method is None or (code is not None and code.co_filename == pool.__file__):
        inner()
        return
    stand = _Stand(inner)
    with suppress(_Over):
        method(stand, *arguments)
    if not stand.is_done:
        inner()


class _Over(BaseException):
    """Leaves billiard's own function, whose work is done."""


class _Stand:
    """Stands for a worker of billiard's: as soon as billiard asks it for something, it does what is to be done instead."""

    is_done = False

    def __init__(self, inner: Callable[[], None]):
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        self.is_done = True
        self._inner()
        raise _Over


signals.worker_init.connect(begin)
