"""All tasks of an app, by name."""

from __future__ import annotations

from typing import Any

from umbel.client.task import Task
from umbel.errors import InvalidTaskError, NotRegistered


class Registry(dict[str, Task[..., Any]]):
    """Tasks by name; an unknown name raises NotRegistered, with the nearest known one."""

    NotRegistered = NotRegistered

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.builtin: dict[str, Task[..., Any]] = {}
        """Tasks that are there in every app and in no list, found by `[name]`: see `client.builtin`."""

    def __missing__(self, name: str) -> Task[..., Any]:
        if name in self.builtin:
            return self.builtin[name]
        import difflib

        near = difflib.get_close_matches(str(name), self, n=1)
        raise NotRegistered(f"no task {name!r} is known" + (f"; did you mean {near[0]!r}?" if near else ""))

    def register(self, task: Any) -> None:
        """Add a task (a class: its instance) under its name. Raises InvalidTaskError for one without."""
        if isinstance(task, type):
            task = task()
        if not task.name:
            raise InvalidTaskError(f"{type(task).__name__} has no name: give the class one")
        self[task.name] = task

    def unregister(self, name: str | Task[..., Any]) -> None:
        """Remove a task."""
        key = name if isinstance(name, str) else name.name
        if self.pop(key, None) is None:
            self.__missing__(key)

    def regular(self) -> dict[str, Task[..., Any]]:
        """All tasks that are sent by programs."""
        return dict(self)
