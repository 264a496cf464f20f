"""Values in short."""

from __future__ import annotations

from typing import Any

from umbel.wire.brief import brief


def saferepr(o: Any, maxlen: int | None = None, maxlevels: int = 3, seen: Any = None) -> str:
    """The repr of a value, cut where it is long."""
    return brief(o, maxlen) if maxlen else brief(o)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
