"""Loaders import the modules of a program."""

from __future__ import annotations

from typing import Any

LOADER_ALIASES = {"app": "celery.loaders.app:AppLoader", "default": "celery.loaders.default:Loader"}


def get_loader_cls(loader: Any) -> Any:
    """The class of loaders of that name."""
    from celery.utils.imports import import_from_cwd, symbol_by_name

    return symbol_by_name(loader, LOADER_ALIASES, imp=import_from_cwd)
