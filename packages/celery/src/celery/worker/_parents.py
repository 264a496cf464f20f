"""A worker as steps know it: the controller for those of the worker, the consumer for those that receive."""

from __future__ import annotations

import os
from typing import Any

from celery._timer import Timer
from celery.worker._steered import PoolOf, Steered


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
