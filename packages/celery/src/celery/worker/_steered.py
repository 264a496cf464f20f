"""A worker as remote commands for Celery know it: `state.consumer`."""

from __future__ import annotations

import asyncio
from typing import Any


class QoS:
    """How many messages it may hold."""

    def __init__(self, worker: Any):
        self._worker = worker

    @property
    def value(self) -> int:
        """That number."""
        return self._worker.most_held or self._worker.pool.slots

    def increment_eventually(self, n: int = 1) -> int:
        """Let it be more; gives the number."""
        return self.set(self.value + n)

    def decrement_eventually(self, n: int = 1) -> int:
        """Let it be less, and at least one; gives the number."""
        return self.set(max(1, self.value - n))

    def set(self, pcount: int) -> int:
        """Let it be so many."""
        self._worker.most_held = self._worker.fetch.most_held = pcount
        return pcount

    def update(self) -> int:
        """Nothing needs to be told to the store."""
        return self.value


class PoolOf:
    """What runs tasks."""

    def __init__(self, worker: Any):
        self._worker = worker

    @property
    def num_processes(self) -> int:
        """How many at once."""
        return self._worker.pool.slots  # type: ignore[no-any-return]  # a number

    limit = num_processes

    def grow(self, n: int = 1) -> None:
        """So many more."""
        self._resize(self.num_processes + n)

    def shrink(self, n: int = 1) -> None:
        """So many fewer; what runs goes on."""
        self._resize(max(1, self.num_processes - n))

    def _resize(self, slots: int) -> None:
        loop = self._worker.loop
        asyncio.run_coroutine_threadsafe(self._worker.resize(slots), loop).result()

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        """End the run in that process."""
        loop = self._worker.loop
        asyncio.run_coroutine_threadsafe(self._terminate(pid), loop).result()

    async def _terminate(self, pid: int) -> None:
        from umbel.pools.pool import Stop

        for begun in self._worker.pool.running():
            if begun.pid == pid:
                self._worker.pool.cancel(begun.number, Stop.HARD)


class Steered:
    """`state.consumer`."""

    def __init__(self, worker: Any):
        self._worker = worker
        self.app = worker.app
        self.hostname = worker.hostname
        self.controller = worker
        self.qos = QoS(worker)
        self.pool = PoolOf(worker)

    @property
    def event_dispatcher(self) -> Any:
        """Tells of events."""
        return self.app.events.default_dispatcher()

    @property
    def queues(self) -> list[str]:
        """Those that it serves."""
        return [name for name in self._worker.fetch.queues if not self.app.hides(name)]

    def add_task_queue(
        self, queue: str, exchange: Any = None, exchange_type: Any = None, routing_key: Any = None, **options: Any
    ) -> None:
        """Serve another one."""
        if queue not in self._worker.fetch.queues:
            self._serve([*self._worker.fetch.queues, queue])

    def cancel_task_queue(self, queue: str) -> None:
        """Serve one no longer."""
        self._serve([name for name in self._worker.fetch.queues if name != queue])

    def _serve(self, queues: list[str]) -> None:
        self._worker.loop.call_soon_threadsafe(self._worker.fetch.serve, queues)

    def update_strategies(self) -> None:
        """Tasks that come into the registry are served at once."""

    def reset_rate_limits(self) -> None:
        """Let rate limits be those of the tasks."""
        for task in self.app.tasks.values():
            self._worker.limits.set(task.name, task.rate_limit)
