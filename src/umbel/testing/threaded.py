"""A worker in a thread of this process, for tests that want one that works by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from umbel.testing.waiting import patience
from umbel.worker.worker import Worker


@contextmanager
def working(
    app: Any, *, pool: str = "solo", concurrency: int = 1, hostname: str = "worker@test", **options: Any
) -> Iterator[Worker]:
    """A worker of the app as long as the block runs, ready when it begins; `options` are those of `Worker`.

    Its pool must be one that works in threads (solo, threads, asyncio): a test's process has too much in it to be forked.
    """
    ready, trouble = threading.Event(), list[BaseException]()
    worker = Worker(app, hostname=hostname, pool=pool, concurrency=concurrency, ready=lambda _: ready.set(), **options)

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:  # it is told to who waits for the worker
            trouble.append(error)
        ready.set()

    thread = threading.Thread(target=run, name="umbel-worker", daemon=True)
    thread.start()
    if not ready.wait(patience()):
        raise AssertionError("the worker does not begin")
    if trouble:
        raise trouble[0]
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(patience())
        if thread.is_alive():
            raise AssertionError("the worker does not end: a task may still run in it")
    if trouble:
        raise trouble[0]
