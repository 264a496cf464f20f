"""Tasks that ask whether they should end."""

from __future__ import annotations

from typing import Any

from celery.app.task import Task
from celery.result import AsyncResult

ABORTED = "ABORTED"


class AbortableAsyncResult(AsyncResult):
    """The result of a task that can be asked to end."""

    def is_aborted(self) -> bool:
        """True if it was asked to."""
        return self.state == ABORTED

    def abort(self) -> Any:
        """Ask the task to end: its state is ABORTED from now on, which the task has to look at itself."""
        return self.backend.store_result(self.id, result=None, state=ABORTED, traceback=None)


class AbortableTask(Task):
    """A task that asks `self.is_aborted()` now and then."""

    abstract = True

    def AsyncResult(self, task_id: str) -> Any:  # type: ignore[override]  # noqa: N802 - Celery's
        """The result of a call by its id."""
        return AbortableAsyncResult(task_id, app=self.app)

    def is_aborted(self, **kwargs: Any) -> bool:
        """True if the call that it serves was asked to end."""
        task_id = kwargs.get("task_id", self.request.id)
        result = self.AsyncResult(task_id)
        if not isinstance(result, AbortableAsyncResult):
            return False
        return result.is_aborted()
