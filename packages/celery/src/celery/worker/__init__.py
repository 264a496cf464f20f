"""Workers."""

from __future__ import annotations

from typing import Any

from celery.worker.worker import WorkController as WorkController


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
