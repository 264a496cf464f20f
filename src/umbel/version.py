"""Which umbel this is; the packaging reads it here."""

from __future__ import annotations

__version__ = "0.1.0"
