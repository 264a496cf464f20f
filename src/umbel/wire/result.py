"""The result document: what is kept of a finished (or started, or retried) task, as Celery writes it."""

from __future__ import annotations

import msgspec


class Result(msgspec.Struct, array_like=True, gc=False):
    """What became of one task: its state in the clear, and the document as bytes."""

    id: str
    state: str
    document: bytes
    """The whole document (`status`, `result`, `traceback`, `children`, `date_done`, `task_id` …), in the result serializer."""
