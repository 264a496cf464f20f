"""Django projects: connections that are let go after each run. umbel finds their tasks by itself."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any

from umbel import signals


def fixup(app: Any, env: str = "DJANGO_SETTINGS_MODULE") -> Any:
    """The fixup, if this is a Django project."""
    from importlib.util import find_spec

    if not os.environ.get(env) or find_spec("django") is None:
        return None
    return DjangoFixup(app).install()


def _look_after_connections(**_: Any) -> None:
    """The project is about to run tasks, so Django is set up by now."""
    from umbel.django import upkeep

    upkeep.install()


def renew_connections() -> None:
    """Let those of this thread go that are broken, in a project: who waits for a result is in no request, and would keep them."""
    if "django.db" in sys.modules:
        from umbel.django.reach import drop_all_broken

        drop_all_broken()


class DjangoFixup:
    """Lets a Django project be found and its time be used."""

    def __init__(self, app: Any):
        self.app = app

    def install(self) -> Any:
        """Let the current directory be searched, and connections be looked after where tasks run."""
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        signals.import_modules.connect(_look_after_connections, weak=False, dispatch_uid="celery.fixups.django")
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
