"""What a task knows of its call: `celery.app.task.Context`; apart, since it brings all that messages are made of."""

from __future__ import annotations

from typing import Any

from umbel.execution.request import Request


class Context(Request):
    """What a task knows of its call; made of dicts and keywords."""

    argsrepr: str | None = None
    kwargsrepr: str | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        self.update(*args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set attributes, given as `dict.update` takes them."""
        super().update(*args, **kwargs)

    def get(self, key: str, default: Any = None) -> Any:
        """The attribute called `key`, or `default`."""
        return getattr(self, key, default)

    def clear(self) -> None:
        """Forget all attributes."""
        self.__dict__.clear()
        super().__init__()

    def __repr__(self) -> str:
        return f"<Context: {vars(self)!r}>"


Context.__module__ = "celery.app.task"
