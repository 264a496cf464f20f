"""Signals: umbel's, made as Celery makes them."""

from __future__ import annotations

from typing import Any

from umbel import signals


class Signal(signals.Signal):
    """Something that happens, and those who want to be told."""

    __slots__ = ("__dict__",)

    def __init__(self, providing_args: Any = None, use_caching: bool = False, name: str | None = None):
        super().__init__(name or "", providing_args or ())

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Call a function whenever it happens."""
        return super().connect(*args, **kwargs)

    def send(self, sender: Any, **named: Any) -> Any:
        """Tell them."""
        return super().send(sender, **named)

    send_robust = send
