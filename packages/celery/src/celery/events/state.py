"""The picture that events draw: which workers there are, which tasks, and what became of each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from umbel.events import seen, state
from umbel.events.seen import STATE_OF
from umbel.events.seen import Worker as Worker
from umbel.states import precedence as precedence_of


def heartbeat_expires(
    timestamp: float,
    freq: float = 60,
    expire_window: float = 200,
    Decimal: Any = Decimal,  # noqa: N803 - Celery's
    float: Any = float,
    isinstance: Any = isinstance,
) -> Any:
    """Until when a heartbeat of that moment says that its worker is alive."""
    return seen.heartbeat_expires(timestamp, freq, expire_window)


class Task(seen.Task):
    """One task."""

    def event(
        self,
        type_: str,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: Any = None,
        precedence: Any = precedence_of,
        setattr: Any = setattr,
        task_event_to_state: Any = STATE_OF.get,
        RETRY: str = "RETRY",  # noqa: N803 - Celery's
    ) -> None:
        """Take in an event of it."""
        super().event(type_, timestamp, local_received, fields)


class State(state.State):
    """All tasks and workers that events tell of."""

    Task = Task
    Worker = Worker

    def __reduce__(self) -> Any:
        kind, arguments = super().__reduce__()
        return kind.__mro__["app" in vars(kind)], arguments  # that of an app, `app.events.State`, as what it was made from


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
