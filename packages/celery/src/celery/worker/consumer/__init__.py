"""What receives messages: umbel's own worker. The class has its place, to be asked about."""

from __future__ import annotations

from typing import Any

from celery.worker.consumer.consumer import Consumer as Consumer


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
