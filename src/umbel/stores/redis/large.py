"""Base64 of what is large: in a twentieth of the time, where pybase64 is there."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

LARGE = 4096
"""Bytes of a body from which on its base64 is written and read by itself."""


@cache
def fast() -> Any:
    """The module that does base64 fast, or None; loaded where there is anything large."""
    try:
        return import_module("pybase64")
    except ImportError:
        return None
