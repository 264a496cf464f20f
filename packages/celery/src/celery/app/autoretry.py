"""Retries by themselves: umbel's tasks have them without being told."""

from __future__ import annotations

from typing import Any


def add_autoretry_behaviour(task: Any, **options: Any) -> None:
    """Set the options of automatic retries on a task."""
    for name in ("autoretry_for", "dont_autoretry_for", "retry_kwargs", "retry_backoff", "retry_backoff_max", "retry_jitter"):
        if name in options:
            setattr(task, name, options[name])
