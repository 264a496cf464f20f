"""What is current: the app and the task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from umbel.client import current, shared
from umbel.client.current import Proxy

task_join_will_block = False
"""What `_set_task_join_will_block` said last; umbel tells by itself whether a wait would block a task."""


def get_current_app() -> Any:
    """The current app; made if there is none."""
    import celery.app.base  # noqa: F401 - makes one of Celery's kind then

    return current.app()


def get_current_task() -> Any:
    """The task that runs here and now; None if none does."""
    return current.running()


def get_current_worker_task() -> Any:
    """The task that a worker runs here and now: not one that this task calls like a function."""
    from umbel.execution.request import current as requests
    from umbel.execution.request import opened

    request = requests.get()
    while request is not None and opened(request).called_directly:
        request = opened(request).outer
    return None if request is None else opened(request).owner


def set_default_app(app: Any) -> None:
    """Make it the app of all threads that have none of their own."""
    current.set_default(app)
    globals()["default_app"] = app


def _set_current_app(app: Any) -> None:
    if app is None:
        current._here.set(None)
    else:
        current.set_current(app)


def _get_active_apps() -> list[Any]:
    """All apps that are in use."""
    from celery.app.base import apps

    return list(apps)


def connect_on_app_finalize(callback: Callable[[Any], None]) -> Callable[[Any], None]:
    """Call `callback` with every app when it is finalized."""
    shared.each_app(callback)
    return callback


def _set_task_join_will_block(blocks: bool) -> None:
    globals()["task_join_will_block"] = blocks


def _task_join_will_block() -> bool:
    return task_join_will_block


def enable_trace() -> None:
    """Accepted; there is nothing to trace."""


disable_trace = enable_trace


def _default_app() -> Any:
    import celery.app.base as base  # noqa: PLR0402 - whose import says how an app is made

    return base._default_app()


if current._make is None:
    current.made_by(_default_app)

default_app: Any = None
current_app = Proxy(get_current_app)
current_task = Proxy(get_current_task)


class _Stack:
    """The tasks that run here and now, as a stack; what runs is pushed and popped by umbel."""

    @property
    def top(self) -> Any:
        """The innermost one."""
        return get_current_task()

    @property
    def stack(self) -> list[Any]:
        """All of them, the outermost first."""
        from umbel.execution.request import current as requests
        from umbel.execution.request import opened

        found, request = [], requests.get()
        while request is not None:
            found.append(opened(request).owner)
            request = opened(request).outer
        return found[::-1]

    def push(self, task: Any) -> None:
        """Let a task count as the one that runs."""
        from umbel.execution.request import Request, push

        _tokens.append(push(Request(task=getattr(task, "name", None), owner=task)))

    def pop(self) -> Any:
        """End that."""
        from umbel.execution.request import current as requests

        task = self.top
        requests.reset(_tokens.pop())
        return task

    def __len__(self) -> int:
        return len(self.stack)


_tokens: list[Any] = []
_task_stack = _Stack()
