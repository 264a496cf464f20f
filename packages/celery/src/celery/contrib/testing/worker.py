"""A worker in a thread, for tests."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import worker
from celery._state import _set_task_join_will_block
from umbel.signals import Signal

WORKER_LOGLEVEL = os.environ.get("WORKER_LOGLEVEL", "error")

test_worker_starting = Signal("test_worker_starting")
test_worker_started = Signal("test_worker_started", ("worker", "consumer"))
test_worker_stopped = Signal("test_worker_stopped", ("worker",))


class TestWorkController(worker.WorkController):
    """A worker that tells when it has begun."""

    __test__ = False
    logger_queue: Any = None

    def __init__(self, *args: Any, **kwargs: Any):
        self._on_started = threading.Event()
        self._ended: BaseException | None = None
        self._over = threading.Event()
        super().__init__(*args, **kwargs)

    def start(self) -> None:
        """Work until told to stop."""
        try:
            super().start()
        except BaseException as problem:
            self._ended = problem
            raise
        finally:
            self._over.set()
            self._on_started.set()

    def on_consumer_ready(self, consumer: Any) -> None:
        """Called once messages are received."""
        self._on_started.set()
        test_worker_started.send(self.app, worker=self, consumer=consumer)

    def ensure_started(self) -> None:
        """Wait until it receives messages; raises what has kept it from that."""
        self._on_started.wait()
        if self._ended is not None:
            raise self._ended


@contextmanager
def start_worker(
    app: Any,
    concurrency: int = 1,
    pool: str = "solo",
    loglevel: Any = WORKER_LOGLEVEL,
    logfile: Any = None,
    perform_ping_check: bool = True,
    ping_task_timeout: float = 10.0,
    shutdown_timeout: float = 10.0,
    **kwargs: Any,
) -> Iterator[Any]:
    """A worker as long as the block runs; at first it is asked to run `celery.ping`, which has to be registered."""
    test_worker_starting.send(app)
    made = None
    try:
        with _start_worker_thread(
            app,
            concurrency=concurrency,
            pool=pool,
            loglevel=loglevel,
            logfile=logfile,
            perform_ping_check=perform_ping_check,
            shutdown_timeout=shutdown_timeout,
            **kwargs,
        ) as made:
            if perform_ping_check:
                from celery.contrib.testing.tasks import ping
                from celery.result import allow_join_result

                with allow_join_result():
                    assert ping.delay().get(timeout=ping_task_timeout) == "pong"
            yield made
    finally:
        test_worker_stopped.send(app, worker=made)


@contextmanager
def _start_worker_thread(
    app: Any,
    concurrency: int = 1,
    pool: str = "solo",
    loglevel: Any = WORKER_LOGLEVEL,
    logfile: Any = None,
    WorkController: Any = TestWorkController,  # noqa: N803 - Celery's name
    perform_ping_check: bool = True,
    shutdown_timeout: float = 10.0,
    **kwargs: Any,
) -> Iterator[Any]:
    setup_app_for_worker(app, loglevel, logfile)
    if perform_ping_check and "celery.ping" not in app.tasks:
        raise AssertionError("celery.ping is not registered: import celery.contrib.testing.tasks, or perform_ping_check=False")
    hostname = kwargs.pop("hostname", "worker@test")
    made = WorkController(app=app, concurrency=concurrency, hostname=hostname, pool=pool, loglevel=loglevel, **kwargs)
    thread = threading.Thread(target=made.start, daemon=True)
    thread.start()
    made.ensure_started()
    _set_task_join_will_block(False)
    try:
        yield made
    finally:
        made.stop()
        thread.join(shutdown_timeout)
        if thread.is_alive():
            raise RuntimeError(f"the worker's thread did not end within {shutdown_timeout:g} s: a task may still run in it")


def setup_app_for_worker(app: Any, loglevel: Any, logfile: Any) -> None:
    """Make the app ready for a worker in this process."""
    app.finalize()
    app.set_current()
    app.set_default()
    type(app.log)._setup = False
    app.log.setup(loglevel=loglevel if loglevel is not None else logging.ERROR, logfile=logfile)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
