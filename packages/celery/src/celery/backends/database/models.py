"""Tables of results: later."""

from __future__ import annotations

from typing import Any

from celery._names import later


class Task:
    """A row of results."""

    def __init__(self, task_id: Any):
        raise later("celery.backends.database.Task")


class TaskExtended(Task):
    """The same with more columns."""


class TaskSet:
    """A row of groups."""

    def __init__(self, taskset_id: Any, result: Any):
        raise later("celery.backends.database.TaskSet")
