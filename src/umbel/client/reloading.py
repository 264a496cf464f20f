"""Modules imported, or imported anew, while a worker runs: its children are then forked from what they have become."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from umbel.errors import ImproperlyConfigured

if TYPE_CHECKING:
    from umbel.client.app import Umbel


def load(app: Umbel, modules: Sequence[str], again: bool) -> None:
    """Import these modules; with `again` those that are imported already once more, whose tasks then replace what they were.

    Raises what a module raises, and ImproperlyConfigured for one that makes another app: its tasks would belong to that one.
    """
    importlib.invalidate_caches()
    for name in modules:
        known = sys.modules.get(name)
        if known is None:
            importlib.import_module(name)
        elif again:
            before = dict(vars(known))
            apps = _apps(app, before)
            with app.replacing(name):
                importlib.reload(known)
            if not apps <= _apps(app, vars(known)):
                vars(known).update(before)
                raise ImproperlyConfigured(
                    f"{name} makes the app itself, and its tasks would belong to another one: restart the worker"
                )


def _apps(app: Umbel, names: dict[str, object]) -> set[str]:
    """Under which names a module knows the app."""
    return {name for name, value in names.items() if value is app}
