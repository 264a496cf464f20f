"""A worker that a program makes and starts itself."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import celery.concurrency._life
import celery.worker.state  # noqa: F401 - remembers the worker
from celery._timer import Timer
from celery.app import app_or_default
from celery.utils.log import mlevel
from celery.utils.nodenames import default_nodename
from celery.worker._parents import consumer_of
from celery.worker._steered import PoolOf

_TAKEN = ("concurrency", "prefetch_multiplier", "max_tasks_per_child", "max_memory_per_child", "time_limit", "soft_time_limit")
_POOLS = {"gevent": "threads", "eventlet": "threads"}


class WorkController:
    """umbel's worker, made with Celery's arguments.

    `start` works until `stop` (from any thread) or, in the main thread, a signal. Arguments that mean nothing to umbel
    (`without_gossip`, …) are taken as `celery worker` takes them.
    """

    app: Any = None
    exitcode: int | None = None
    pidlock: Any = None
    blueprint: Any = None
    pool: Any = None
    semaphore: Any = None

    def __init__(self, app: Any = None, hostname: str | None = None, **kwargs: Any):
        from umbel.worker.worker import HEARTBEAT, Worker

        self.app = app_or_default(app or self.app)
        self.hostname = default_nodename(hostname or "")
        self.on_before_init(**kwargs)
        kind = kwargs.get("pool_cls") or kwargs.get("pool") or self.app.conf.worker_pool
        self.options = kwargs
        include = kwargs.get("include")
        if include:
            self.app.conf.include = (*self.app.conf.include, *([include] if isinstance(include, str) else include))
        queues, exclude = kwargs.get("queues"), kwargs.get("exclude_queues")
        self._worker = Worker(
            self.app,
            hostname=self.hostname,
            pool=_POOLS.get(kind, kind),
            queues=queues.split(",") if isinstance(queues, str) else queues,
            exclude=exclude.split(",") if isinstance(exclude, str) else exclude or (),
            purge=bool(kwargs.get("purge")),
            ready=self._ready,
            task_events=kwargs.get("task_events") or None,
            heartbeat=None if kwargs.get("without_heartbeat") else kwargs.get("heartbeat_interval") or HEARTBEAT,
            options=kwargs,
            **{name: kwargs[name] for name in _TAKEN if kwargs.get(name) is not None},
        )
        self._worker.parent = self
        self.concurrency = self._worker.concurrency
        self.steps: list[Any] = []
        self.timer = Timer()
        self.pool = PoolOf(self._worker)
        self.loglevel, self.logfile = mlevel(kwargs.get("loglevel")), kwargs.get("logfile")
        self.pid = os.getpid()
        self.on_after_init(**kwargs)

    def _ready(self, _: Any) -> None:
        self.on_consumer_ready(self)

    @property
    def consumer(self) -> Any:
        """What receives messages."""
        return consumer_of(self._worker)

    def on_before_init(self, **kwargs: Any) -> None:
        """For subclasses."""

    def on_after_init(self, **kwargs: Any) -> None:
        """For subclasses."""

    def on_start(self) -> None:
        """For subclasses."""

    def on_consumer_ready(self, consumer: Any) -> None:
        """For subclasses: called once messages are received."""

    def on_close(self) -> None:
        """For subclasses."""

    def on_stopped(self) -> None:
        """For subclasses."""

    def start(self) -> None:
        """Work until told to stop."""
        self.on_start()
        try:
            self.exitcode = self._worker.run()
        finally:
            self.on_stopped()

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Finish what runs, and stop."""
        self.on_close()
        if exitcode is not None:
            self._worker.exitcode = exitcode
        self._worker.stop("warm")

    def terminate(self, in_sighandler: bool = False) -> None:
        """Give back what runs, and stop."""
        self._worker.stop("cold")

    def reload(
        self, modules: Iterable[str] | None = None, reload: bool = False, reloader: Callable[[Any], Any] | None = None
    ) -> None:
        """Import `modules`, or those with tasks; with `reload` once more. Their tasks are served at once."""
        for name in sorted(self.app.loader.task_modules if modules is None else modules):
            if name not in sys.modules:
                self.app.loader.import_from_cwd(name)
            elif reload:
                (reloader or importlib.reload)(sys.modules[name])

    def stats(self) -> dict[str, Any]:
        """Its figures."""
        return {"pid": os.getpid(), "pool": {"max-concurrency": self.concurrency}, **self.info()}

    def info(self) -> dict[str, Any]:
        """What it is."""
        return {"pid": os.getpid(), "clock": str(self.app.clock)}

    def __str__(self) -> str:
        return self.hostname

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname}>"
