"""Warnings of what will go."""

from __future__ import annotations

import warnings
from collections.abc import Callable as Function
from functools import wraps
from typing import Any

from celery.exceptions import CDeprecationWarning, CPendingDeprecationWarning


def warn(
    description: str | None = None,
    deprecation: str | None = None,
    removal: str | None = None,
    alternative: str | None = None,
    stacklevel: int = 2,
) -> None:
    """Say that something will go, or will be deprecated."""
    kind = CPendingDeprecationWarning if deprecation else CDeprecationWarning
    text = f"{description} goes with version {removal}" + (f"; use {alternative}" if alternative else "")
    warnings.warn(text, kind, stacklevel=stacklevel)


def Callable(  # noqa: N802 - Celery's name
    deprecation: str | None = None, removal: str | None = None, alternative: str | None = None, description: str | None = None
) -> Any:
    """Decorates a function that will go."""

    def decorate(fun: Function[..., Any]) -> Function[..., Any]:
        @wraps(fun)
        def call(*args: Any, **kwargs: Any) -> Any:
            warn(description or fun.__qualname__, deprecation, removal, alternative, stacklevel=3)
            return fun(*args, **kwargs)

        return call

    return decorate


def Property(  # noqa: N802 - Celery's name
    deprecation: str | None = None, removal: str | None = None, alternative: str | None = None, description: str | None = None
) -> Any:
    """Makes a property that will go."""
    return lambda fun: property(Callable(deprecation, removal, alternative, description)(fun))
