"""What INSTALLED_APPS loads."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class UmbelConfig(AppConfig):
    """umbel as one of the project's apps."""

    name = "umbel.django"
    label = "umbel"
    verbose_name = "umbel"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make sure that the project has an app, look after its connections, and join Django's checks."""
        from umbel.django import checks, project, upkeep

        project.settle()
        if any(str(each.get("BACKEND", "")).startswith("umbel.") for each in getattr(settings, "TASKS", {}).values()):
            import_module("umbel.django.tasks")  # also for apps that do not look for tasks in all of the project
        upkeep.install()
        checks.register_all()
