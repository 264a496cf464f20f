"""Django projects: umbel finds their tasks by itself; this is for who asks."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any


def fixup(app: Any, env: str = "DJANGO_SETTINGS_MODULE") -> Any:
    """The fixup, if this is a Django project."""
    from importlib.util import find_spec

    if not os.environ.get(env) or find_spec("django") is None:
        return None
    return DjangoFixup(app).install()


class DjangoFixup:
    """Lets a Django project be found and its time be used."""

    def __init__(self, app: Any):
        self.app = app

    def install(self) -> Any:
        """Let the current directory be searched."""
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        return self

    def autodiscover_tasks(self) -> list[str]:
        """The packages of the project's apps."""
        from umbel.client.modules import installed_apps

        return installed_apps()

    def now(self, utc: bool = False) -> datetime:
        """The time by Django."""
        if utc:
            return datetime.now(UTC)
        from django.utils import timezone

        return timezone.now()


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
