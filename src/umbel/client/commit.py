"""Sending that waits for the transaction in Django's database that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from umbel.errors import ImproperlyConfigured


def on_commit(send: Callable[[], Any]) -> None:
    """Call `send` once the transaction of this thread is committed, not at all if it is rolled back; now if there is none."""
    try:
        transaction = import_module("django.db.transaction")
    except ImportError:
        raise ImproperlyConfigured("what is sent on commit waits for a transaction of Django's, and Django is not here") from None
    transaction.on_commit(send)
