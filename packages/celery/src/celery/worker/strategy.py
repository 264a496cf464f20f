"""How a worker receives a message: umbel has one way. The logger is the one that speaks of it."""

from __future__ import annotations

from typing import Any

from celery._names import lacks
from celery.utils.log import get_logger

logger = get_logger(__name__)


def default(
    task: Any,
    app: Any,
    consumer: Any,
    info: Any = logger.info,
    error: Any = logger.error,
    task_reserved: Any = None,
    to_system_tz: Any = None,
    bytes: Any = None,
    proto1_to_proto2: Any = None,
) -> Any:
    """How a message for this task is received."""
    raise lacks("celery.worker.strategy.default", "umbel's worker, which receives all messages in one way")


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
