"""A worker as steps know it: the controller for those of the worker, the consumer for those that receive."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from celery.worker._steered import PoolOf, Steered

log = logging.getLogger("celery.worker")


class Entry:
    """Something that is to be called."""

    def __init__(self, fun: Callable[..., Any], args: Any, kwargs: Any, every: float | None):
        self.fun, self.args, self.kwargs = fun, tuple(args or ()), dict(kwargs or {})
        self.every = every
        self.canceled = self.cancelled = False

    def cancel(self) -> None:
        """Do not call it any more."""
        self.canceled = self.cancelled = True

    def __call__(self) -> Any:
        return self.fun(*self.args, **self.kwargs)


class Timer:
    """Calls what it is asked to, in a thread of its own, one after the other. What they raise is logged."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def call_repeatedly(self, secs: float, fun: Any, args: Any = (), kwargs: Any = None, priority: int = 0) -> Entry:
        """Call it again and again, after each `secs` seconds, until it is cancelled."""
        return self._enter(time.monotonic() + secs, Entry(fun, args, kwargs, secs))

    def call_after(self, secs: float, fun: Any, args: Any = (), kwargs: Any = None, priority: int = 0) -> Entry:
        """Call it in `secs` seconds."""
        return self._enter(time.monotonic() + secs, Entry(fun, args, kwargs, None))

    def call_at(self, eta: Any, fun: Any, args: Any = (), kwargs: Any = None, priority: int = 0) -> Entry:
        """Call it at a moment: seconds since the epoch, or a datetime."""
        moment = eta.timestamp() if hasattr(eta, "timestamp") else float(eta)
        return self.call_after(moment - time.time(), fun, args, kwargs)

    def cancel(self, tref: Entry) -> None:
        """Do not call it any more."""
        tref.cancel()

    def clear(self) -> None:
        """Call nothing of all that."""
        with self._changed:
            self._due.clear()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _enter(self, when: float, entry: Entry) -> Entry:
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), entry))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="celery-timer", daemon=True)
                self._thread.start()
        return entry

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            try:
                entry()
            except Exception:
                log.exception("What a timer called has failed: %r", entry.fun)
            if entry.every is not None and not entry.canceled:
                self._enter(time.monotonic() + entry.every, entry)

    def _next(self) -> Entry | None:
        with self._changed:
            while not self._stopped:
                if not self._due:
                    self._changed.wait()
                    continue
                when, _, entry = self._due[0]
                left = when - time.monotonic()
                if left > 0 and not entry.canceled:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._due)
                if not entry.canceled:
                    return entry
            return None


class Controller:
    """The parent of a worker's steps, of one that no `WorkController` was made for."""

    blueprint: Any = None
    semaphore: Any = None

    def __init__(self, worker: Any):
        self._worker = worker
        self.app = worker.app
        self.hostname = worker.hostname
        self.concurrency = worker.concurrency
        self.options = worker.options
        self.loglevel, self.logfile = worker.options.get("loglevel"), worker.options.get("logfile")
        self.pid = os.getpid()
        self.steps: list[Any] = []
        self.timer = Timer()
        self.pool = PoolOf(worker)

    @property
    def consumer(self) -> Any:
        """What receives messages."""
        return consumer_of(self._worker)

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Finish what runs, and stop."""
        if exitcode is not None:
            self._worker.exitcode = exitcode
        self._worker.stop("warm")

    def terminate(self, in_sighandler: bool = False) -> None:
        """Give back what runs, and stop."""
        self._worker.stop("cold")

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname}>"


class Consumer(Steered):
    """The parent of steps that receive."""

    blueprint: Any = None
    initial_prefetch_count = 0
    task_consumer: Any = None

    def __init__(self, worker: Any):
        super().__init__(worker)
        self.controller = controller_of(worker)
        self.timer = self.controller.timer
        self.steps: list[Any] = []
        self._connection: Any = None

    @property
    def connection(self) -> Any:
        """A kombu connection to where messages are, of this worker's steps alone."""
        if self._connection is None:
            self._connection = self.app.connection_for_read()
        return self._connection

    def connection_for_read(self, heartbeat: Any = None) -> Any:
        """A new one."""
        return self.app.connection_for_read(heartbeat=heartbeat)

    def connection_for_write(self, url: Any = None, heartbeat: Any = None) -> Any:
        """A new one."""
        return self.app.connection_for_write(url, heartbeat=heartbeat)


def controller_of(worker: Any) -> Any:
    """The parent of its steps: the `WorkController` that it was made for, or one that stands for it."""
    if worker.parent is None:
        worker.parent = Controller(worker)
    return worker.parent


def consumer_of(worker: Any) -> Any:
    """The parent of its steps that receive."""
    controller = controller_of(worker)
    if getattr(controller, "_consumer", None) is None:
        controller._consumer = Consumer(worker)
    return controller._consumer


def of_kind(worker: Any, kind: str) -> Any:
    """The parent of steps of that kind."""
    return consumer_of(worker) if kind == "consumer" else controller_of(worker)
