"""All tasks of an app, by name."""

from __future__ import annotations

from typing import Any

from celery.exceptions import NotRegistered
from umbel.client.registry import Registry


class TaskRegistry(Registry):
    """Tasks by name."""

    NotRegistered = NotRegistered

    def __missing__(self, key: str) -> Any:
        if key in self.builtin:
            return self.builtin[key]
        raise self.NotRegistered(key)

    def register(self, task: Any) -> None:
        """Add a task (a class: its instance) under its name."""
        super().register(task)

    def unregister(self, name: Any) -> None:
        """Remove a task, given by itself or by its name."""
        try:
            self.pop(getattr(name, "name", name))
        except KeyError:
            raise self.NotRegistered(name) from None

    def regular(self) -> dict[str, Any]:  # type: ignore[override]  # Celery's
        """Those that programs send."""
        return self.filter_types("regular")

    def periodic(self) -> dict[str, Any]:
        """Those of Celery 2's periodic kind: none."""
        return self.filter_types("periodic")

    def filter_types(self, type: str) -> dict[str, Any]:
        """The tasks of one kind, by name."""
        return {name: task for name, task in self.items() if getattr(task, "type", "regular") == type}


def _unpickle_task(name: str, module: str | None = None) -> Any:
    """The task that a pickled one names."""
    from celery._state import current_app

    if module:
        __import__(module)
    return current_app.tasks[name]
