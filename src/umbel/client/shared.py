"""Tasks that belong to every app: `@shared_task`, for libraries that do not know whose they will be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from weakref import WeakSet

from umbel.client import current
from umbel.client.typing import Decorate

_joining: list[Callable[[Any], None]] = []
"""Called with each app when it is finalized."""


def each_app(join: Callable[[Any], None]) -> None:
    """Call `join` with every app, when it is finalized; at once with those that are."""
    _joining.append(join)
    for app in list(_finalized):
        join(app)


def later_apps(join: Callable[[Any], None]) -> None:
    """Call `join` with every app that is finalized from now on."""
    _joining.append(join)


_finalized: WeakSet[Any] = WeakSet()


def join(app: Any) -> None:
    """Give all shared tasks to an app that is being finalized."""
    _finalized.add(app)
    for each in _joining:
        each(app)


def leave(app: Any) -> None:
    """The app is closed: it gets no more."""
    _finalized.discard(app)


def _shared_task(*args: Any, **options: Any) -> Any:
    """A task of every app, there under the same name; what you hold is that of the current app.

    Takes what `Umbel.task` takes, with or without parentheses.
    """

    def share(function: Callable[..., Any]) -> Any:
        name = options.get("name")

        def join_app(app: Any) -> None:
            app.make_task(function, **options)

        each_app(join_app)
        return current.Proxy(lambda: _task(function, name))

    if len(args) == 1 and callable(args[0]):
        return share(args[0])
    if args:
        raise TypeError("shared_task takes options by name: @shared_task(name='…', bind=True)")
    return share


def _task(function: Callable[..., Any], name: str | None) -> Any:
    app: Any = current.app()
    return app.tasks[name or app.gen_task_name(function.__name__, function.__module__)]


shared_task = cast("Decorate", _shared_task)
