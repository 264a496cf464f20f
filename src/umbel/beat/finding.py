"""Finds the class of scheduler that an option or a setting names."""

from __future__ import annotations

from typing import Any

from umbel.beat.scheduler import PersistentScheduler
from umbel.errors import ImproperlyConfigured
from umbel.settings import find

GROUP = "celery.beat_schedulers"
"""Entry points of packages that bring a scheduler, by a short name such as `django`."""
_OWN = frozenset({"umbel", *(f"{room}.beat{mark}PersistentScheduler" for room in ("umbel", "celery") for mark in ".:")})


def find_scheduler(wish: Any) -> type[Any] | None:
    """The class, given itself, by its path or by the name of an entry point; None for umbel's own, which is the default.

    Celery's default, `PersistentScheduler`, is umbel's own, too: it keeps what that keeps, and more.
    """
    if not wish or wish in _OWN or wish is PersistentScheduler:
        return None
    found = _named(wish) if isinstance(wish, str) else wish
    if found is PersistentScheduler:
        return None
    if not isinstance(found, type) or not callable(getattr(found, "tick", None)):
        raise ImproperlyConfigured(f"beat_scheduler {wish!r} is no class of schedulers; one derives from umbel.beat.Scheduler")
    return found


def _named(wish: str) -> Any:
    if "." not in wish and ":" not in wish:
        from importlib.metadata import entry_points  # a sixth of a second, for those who ask for it

        known = {point.name: point for point in entry_points(group=GROUP)}
        if wish in known:
            return known[wish].load()
        there = ", ".join(["umbel", *sorted(known)])
        raise ImproperlyConfigured(f"beat_scheduler {wish!r}: nothing of that name is installed; there are {there}")
    try:
        return find(wish)
    except ImportError as problem:
        raise ImproperlyConfigured(f"beat_scheduler {wish!r} cannot be imported: {problem}") from problem
