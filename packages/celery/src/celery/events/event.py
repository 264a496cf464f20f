"""What an event is: later."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
