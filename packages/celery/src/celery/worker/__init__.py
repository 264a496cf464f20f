"""Workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery.worker.worker import WorkController as WorkController

__all__ = ["WorkController"]

_MODULES = ("state", "worker")
"""Modules that are there as attributes without having been imported, as in Celery."""


def __getattr__(name: str) -> Any:
    if name == "WorkController":  # the command needs what is beside it, and not this
        from celery.worker.worker import WorkController

        globals()[name] = WorkController
        return WorkController
    if name in _MODULES:
        from importlib import import_module

        return import_module(f"celery.worker.{name}")
    from celery._names import absent

    raise absent(__name__, name)
