"""What is known from events: later."""

from __future__ import annotations

from typing import Any

from celery._names import later


class State:
    """All tasks and workers that events tell of."""

    app: Any = None

    def __init__(
        self,
        callback: Any = None,
        workers: Any = None,
        tasks: Any = None,
        taskheap: Any = None,
        max_workers_in_memory: int = 5000,
        max_tasks_in_memory: int = 10000,
        on_node_join: Any = None,
        on_node_leave: Any = None,
        tasks_by_type: Any = None,
        tasks_by_worker: Any = None,
    ):
        raise later("celery.events.state.State")

    def event(self, event: Any) -> Any:
        """Take in an event."""
        raise later("State.event")


class Task:
    """One task."""

    def __init__(self, uuid: Any = None, cluster_state: Any = None, children: Any = None, **kwargs: Any):
        raise later("celery.events.state.Task")


class Worker:
    """One worker."""

    def __init__(
        self,
        hostname: Any = None,
        pid: Any = None,
        freq: int = 60,
        heartbeats: Any = None,
        clock: int = 0,
        active: Any = None,
        processed: Any = None,
        loadavg: Any = None,
        sw_ident: Any = None,
        sw_ver: Any = None,
        sw_sys: Any = None,
    ):
        raise later("celery.events.state.Worker")


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
