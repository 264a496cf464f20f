"""A worker of an app in a thread of this process, as long as a block lasts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from umbel import Umbel
from umbel.testing.waiting import patience
from umbel.worker.worker import Worker


@contextmanager
def serving(app: Umbel, **how: Any) -> Iterator[Worker]:
    """The worker, once it is ready."""
    ready = threading.Event()
    words = {"hostname": "w@test", "pool": "threads", "concurrency": 2, **how}
    worker = Worker(app, ready=lambda _: ready.set(), **words)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        assert ready.wait(patience())
        yield worker
    finally:
        worker.stop()
        thread.join(patience())
    assert not thread.is_alive()
