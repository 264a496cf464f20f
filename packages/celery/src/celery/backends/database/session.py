"""Sessions of the database: later."""

from __future__ import annotations

from typing import Any

from celery._names import later


class _Base:
    """What tables derive from."""

    metadata: Any = None


ResultModelBase = _Base


class SessionManager:
    """Opens sessions."""

    def __init__(self) -> None:
        raise later("celery.backends.database.session.SessionManager")
