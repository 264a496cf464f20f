"""The result of a task that ran at once: apart from what runs it, since who imports results need not load that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from umbel import states
from umbel.client import current
from umbel.client.results.result import AsyncResult
from umbel.errors import TaskRevokedError
from umbel.wire.result import Document

if TYPE_CHECKING:
    from umbel.stores.backend import ResultBackend

T = TypeVar("T")


class EagerResult(AsyncResult[T]):
    """The result of a task that ran at once, in this process; asks no store."""

    def __init__(
        self,
        id: str,
        value: Any,
        state: str,
        traceback: str | None = None,
        name: str | None = None,
        app: current.App | None = None,
    ):
        super().__init__(id, app=app)
        self._document = Document(id, state, value, traceback, name=name)

    def get(
        self, timeout: float | None = None, propagate: bool = True, interval: float | None = None, *args: Any, **options: Any
    ) -> T:
        """The value, or what the task raised."""
        if self.state not in states.READY_STATES:
            return None  # type: ignore[return-value]  # as Celery has it
        options["disable_sync_subtasks"] = False  # nothing waits here
        return super().get(timeout, propagate, interval, *args[:5], **options)

    wait = get

    def ready(self) -> bool:
        """True: it has run."""
        return True

    def revoke(self, *args: Any, **options: Any) -> None:
        """Let it count as revoked; it has run already."""
        self._document = Document(self.id, states.REVOKED, TaskRevokedError("revoked"), name=self.name)

    def forget(self) -> None:
        """Nothing is kept of it anyway."""

    def _backend(self) -> ResultBackend:
        raise AssertionError("a result that has its document asks no store")

    def __copy__(self) -> EagerResult[T]:
        made: EagerResult[T] = type(self).__new__(type(self))
        for name in ("id", "ignored", "parent", "_app", "_document"):
            setattr(made, name, getattr(self, name))
        return made

    def __reduce__(self) -> Any:
        document = self._document
        assert document is not None, "it is made with one"
        return EagerResult, (self.id, document.result, document.status, document.traceback, document.name)
