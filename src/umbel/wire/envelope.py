"""What brokers carry: the bytes of one message, and the few facts that storing and ordering them needs."""

from __future__ import annotations

from typing import Any

import msgspec


class Envelope(msgspec.Struct, array_like=True, gc=False):
    """One message, closed: brokers read the address, never the letter.

    A msgspec struct, not a dataclass, because it also travels to child processes and into SQLite as msgpack.
    """

    id: str
    """Id of the task. Two envelopes may bear the same one (a retry, a repeated send)."""
    queue: str
    """Name of the queue it goes to."""
    headers: bytes
    """The message headers: a JSON object, as in Celery's protocol 2 (`{}` in protocol 1)."""
    body: bytes
    """The payload, serialised, then compressed if the headers say so."""
    content_type: str = "application/json"
    content_encoding: str = "utf-8"
    priority: int = 0
    """0 to 9, the higher the more urgent."""
    due: float | None = None
    """Not to be handed out before this time (seconds since the epoch)."""
    reply_to: str = ""
    exchange: str = ""
    routing_key: str = ""
    """As published; empty means: the queue's name."""
    properties: dict[str, Any] = {}  # never changed in place; msgspec copies it for each instance
    """Further publish properties (`expiration`, `correlation_id`, a transport's own), JSON-safe."""
