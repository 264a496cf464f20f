"""The task that runs those of `django.tasks`; found where an app looks for the tasks of its project."""

from __future__ import annotations

from typing import Any

from umbel.client.shared import shared_task


@shared_task(name="umbel.django.run", track_started=True)
def run(path: str, args: list[Any], kwargs: dict[str, Any], alias: str) -> Any:
    """Run the task that `path` names."""
    from umbel.django import backend  # it needs a Django that has tasks

    return backend.run(path, args, kwargs, alias)
