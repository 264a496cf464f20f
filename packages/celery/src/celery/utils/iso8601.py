"""Times in ISO 8601."""

from __future__ import annotations

from datetime import datetime


def parse_iso8601(datestring: str) -> datetime:
    """The time that the text names."""
    return datetime.fromisoformat(datestring)
