"""Workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery.worker.worker import WorkController as WorkController

__all__ = ["WorkController"]

_HOMES = {"WorkController": "celery.worker.worker"}
"""The command needs what is beside it, and not this."""
_MODULES = ("state", "worker")
"""Modules that are there as attributes without having been imported, as in Celery."""


def __getattr__(name: str) -> Any:
    from celery._names import found

    return found(globals(), name, _HOMES, _MODULES)
