"""`celery beat`: umbel's."""

from __future__ import annotations

import sys
from typing import Any

from celery.bin.base import derived
from umbel.cli.beat import beat as own


def run(**given: Any) -> Any:
    """Start a beat with these options."""
    if given["executable"] == sys.executable:
        given["executable"] = None
    return own.callback(**given)  # type: ignore[misc]  # it has one


beat = derived(own, run)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
