"""The project's app: the one that its code makes, or one made from its settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from umbel.client import current
from umbel.client.app import Umbel

app: Any = None
"""The project's app, once Django is set up."""


def settle() -> None:
    """Find the app that the project's code has made by now; make one, if it has not."""
    global app
    app = current.app() if current.is_set() else _made()


def _made() -> Umbel:
    """An app that knows the project's settings and the tasks of its apps; nobody needs to write it down."""
    made = Umbel(_name())
    namespace = "UMBEL" if any(name.startswith("UMBEL_") for name in dir(settings)) else "CELERY"
    made.config_from_object("django.conf:settings", namespace=namespace)
    made.add_defaults({"timezone": settings.TIME_ZONE})
    made.autodiscover_tasks()
    made.set_default()
    return made


def _name() -> str:
    """The package in which the project's settings or addresses are."""
    module = getattr(settings, "SETTINGS_MODULE", None) or getattr(settings, "ROOT_URLCONF", None) or "project"
    return str(module).partition(".")[0]
