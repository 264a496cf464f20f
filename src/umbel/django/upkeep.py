"""Connections to databases and caches that are let go between runs, and those of a parent that a child must not touch.

What Django does at the end of a request is done here around each run of a task, and in the threads of a worker that write.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from django.core.cache import close_caches
from django.db import close_old_connections, connections, reset_queries

from umbel import signals

_left: list[Any] = []
"""Connections of the parent, kept as long as this child lives: if they were collected, they would say goodbye for the parent."""
_reuse: int = 0
"""After how many runs a thread looks at its connections (the setting `db_reuse_max`); 0: after each."""
_runs = threading.local()
_closing: set[asyncio.Task[Any]] = set()
_parent = os.getpid()


def install(reuse: int | None = None) -> None:
    """Look after connections from now on, wherever tasks run in this process or one that it forks; twice is the same as once."""
    global _reuse, _parent
    _reuse = reuse or 0
    _parent = os.getpid()
    receivers = {
        signals.worker_init: _before_forks,
        signals.worker_process_init: _in_child,
        signals.task_prerun: _before_run,
        signals.task_postrun: _after_run,
        signals.worker_batch_done: _let_go,
        signals.beat_embedded_init: _let_go,
        signals.worker_process_shutdown: _at_the_end,
    }
    for signal, receiver in receivers.items():
        signal.connect(receiver, weak=False, dispatch_uid=f"umbel.django.{signal.name}")


def _before_forks(sender: Any = None, **_: Any) -> None:
    """What was opened while the worker was loaded (by checks, or when an app was made ready) is nobody's any more."""
    global _reuse
    app = getattr(sender, "app", None)
    if app is not None and app.conf.db_reuse_max:
        _reuse = app.conf.db_reuse_max
    if not _is_in_loop():
        connections.close_all()
        _close_pools()
    close_caches()


def _in_child(**_: Any) -> None:
    """Forget what the parent had opened, without a word to the servers: for them, it is the parent's still."""
    if os.getpid() == _parent:
        return  # threads, or the only process: nothing was inherited
    for connection in connections.all(initialized_only=True):
        _forget(connection)
    _forget_pools()


def _forget(connection: Any) -> None:
    """Make this wrapper one that was never connected."""
    raw = connection.connection
    if raw is not None:
        _put_null_over(raw)
        _left.append(raw)
    connection.connection = None
    connection.in_atomic_block = False
    connection.savepoint_ids = []
    connection.run_on_commit = []
    connection.needs_rollback = False


def _put_null_over(raw: Any) -> None:
    """Let the connection's file be /dev/null: whatever its library may still send reaches nobody."""
    try:
        number = raw.fileno()
    except Exception:  # SQLite has none that may be touched; a closed one has none
        return
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, number, inheritable=False)
    os.close(null)


def _pools() -> list[tuple[dict[str, Any], str]]:
    """Where Django keeps its pools of connections, as pairs of a dict and a key."""
    kinds = {type(connection) for connection in connections.all(initialized_only=True)}
    found = [getattr(kind, "_connection_pools", None) for kind in kinds]
    return [(pools, alias) for pools in found if isinstance(pools, dict) for alias in list(pools)]


def _close_pools() -> None:
    for pools, alias in _pools():
        pools.pop(alias).close()


def _forget_pools() -> None:
    """A pool's threads are not in this child, and its connections are the parent's."""
    for pools, alias in _pools():
        pool = pools.pop(alias)
        for raw in list(getattr(pool, "_pool", ())):
            _put_null_over(raw)
        _left.append(pool)


def _before_run(sender: Any = None, **_: Any) -> None:
    if not sender.request.is_eager:  # one that runs inside of a request shares its connections and its transaction
        reset_queries()
        _tidy()


def _after_run(sender: Any = None, **_: Any) -> None:
    if not sender.request.is_eager:
        _tidy()
        close_caches()


def _tidy() -> None:
    if _reuse:
        _runs.count = getattr(_runs, "count", 0) + 1
        if _runs.count < 2 * _reuse:  # before and after each run
            return
        _runs.count = 0
    _let_go()


def _let_go(**_: Any) -> None:
    """Close what is unusable or has lived its time (CONN_MAX_AGE), in the thread that has opened it."""
    if not _is_in_loop():
        close_old_connections()
        return
    from asgiref.sync import sync_to_async  # coroutines reach databases in that thread, so they are closed there, too

    closing = asyncio.ensure_future(sync_to_async(close_old_connections)())
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


def _at_the_end(**_: Any) -> None:
    if not _is_in_loop():
        connections.close_all()
        _close_pools()


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
