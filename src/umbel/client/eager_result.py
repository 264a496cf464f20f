"""The result of a task that ran at once: apart from what runs it, since who imports results need not load that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from umbel import states
from umbel.client.result import AsyncResult
from umbel.errors import TaskRevokedError

T = TypeVar("T")


class EagerResult(AsyncResult[T]):
    """The result of a task that ran at once, in this process."""

    __slots__ = ("_name", "_ready_state", "_text", "_value")

    def __init__(self, id: str, value: Any, state: str, traceback: str | None = None, name: str | None = None):
        super().__init__(id)
        self._value = value
        self._ready_state = state
        self._text = traceback
        self._name = name

    def get(self, timeout: float | None = None, propagate: bool = True, *args: Any, **kwargs: Any) -> T:
        """The value, or what the task raised."""
        if propagate and self._ready_state in states.PROPAGATE_STATES:
            raise self._value if isinstance(self._value, BaseException) else Exception(self._value)
        return self._value  # type: ignore[no-any-return]  # any value

    wait = get

    async def aget(self, timeout: float | None = None, *, propagate: bool = True) -> T:
        """The same, for asyncio."""
        return self.get(timeout, propagate)

    def revoke(self, *args: Any, **kwargs: Any) -> None:
        """Let it count as revoked; it has run already."""
        self._ready_state, self._value = states.REVOKED, TaskRevokedError("revoked")

    @property
    def state(self) -> str:
        """How it ended."""
        return self._ready_state

    @property
    def result(self) -> Any:
        """The value or the exception."""
        return self._value

    @property
    def traceback(self) -> str | None:
        """The traceback as text."""
        return self._text

    @property
    def name(self) -> str | None:
        """The task's name."""
        return self._name

    def _look(self) -> None:
        return None

    def exists(self) -> bool:
        """True: it has run."""
        return True

    def maybe_throw(self, propagate: bool = True, callback: Callable[[str, Any], object] | None = None) -> Any:
        """The value; raises what the task raised."""
        value = self.get(propagate=propagate)
        if callback is not None:
            callback(self.id, value)
        return value

    maybe_reraise = maybe_throw

    def forget(self) -> None:
        """Nothing is kept of it anyway."""

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"
