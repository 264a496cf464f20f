"""Where events go and come from, for who has a kombu connection in hand."""

from __future__ import annotations

from typing import Any


def channel_of(app: Any, connection: Any) -> Any:
    """umbel's channel at the place of a kombu connection or channel; None if that is the app's own."""
    connection = getattr(connection, "client", None) if not hasattr(connection, "as_uri") else connection
    if connection is None or not hasattr(connection, "as_uri"):
        return None
    place = connection.as_uri(include_password=True)
    if place.startswith("memory:") or place == app.connection_for_write().as_uri(include_password=True):
        return None
    from umbel.stores.url import open_channel

    return open_channel(place, options=getattr(connection, "transport_options", None) or {})
