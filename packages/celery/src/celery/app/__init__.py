"""Apps, and shared tasks."""

from __future__ import annotations

from typing import Any

from celery import _state as _state
from celery._state import disable_trace as disable_trace
from celery._state import enable_trace as enable_trace
from umbel.client.current import Proxy
from umbel.client.shared import shared_task as shared_task

TYPE_CHECKING = False  # as in celery/__init__.py
if TYPE_CHECKING:
    from celery.app.base import Celery as Celery
    from celery.app.utils import AppPickler as AppPickler

default_app: Any = Proxy(lambda: _state.default_app or _state.get_current_app())


def app_or_default(app: Any = None) -> Any:
    """The app, else the current one."""
    return _state.get_current_app() if app is None else app


def bugreport(app: Any = None) -> str:
    """What to tell in a report of a fault."""
    return app_or_default(app).bugreport()  # type: ignore[no-any-return]  # a text


def push_current_task(obj: Any) -> None:
    """Let a task count as the one that runs."""
    _state._task_stack.push(obj)


def pop_current_task() -> Any:
    """End that."""
    return _state._task_stack.pop()


def __getattr__(name: str) -> Any:
    if name == "Celery":
        from celery.app.base import Celery

        return Celery
    if name == "AppPickler":
        from celery.app.utils import AppPickler

        return AppPickler
    from celery._names import absent

    raise absent(__name__, name)
