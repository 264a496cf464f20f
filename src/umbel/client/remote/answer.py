"""How whoever hears requests answers them, and what every one of them tells."""

from __future__ import annotations

from typing import Any

from umbel.client.remote.request import Request
from umbel.stores.channel import Note
from umbel.wire.encoding import dumps


def answer(app: Any, request: Request, told: dict[str, Any]) -> None:
    """Send an answer to where the request says. Raises EncodeError if it cannot be written, BrokerError if not be sent."""
    kind, codec, body = dumps(told, app.conf.task_serializer, name="answer")
    headers = {"ticket": request.ticket, "clock": app.clock.forward()}
    assert request.exchange is not None, "who waits for no answer gets none"
    note = Note(request.exchange, request.address, body, headers, kind, codec)
    app.channel.reply(request.exchange, request.address, [note])


def heed_clock(app: Any, note: Note) -> None:
    """Let the app's logical clock go on from that of the sender, if that is one."""
    clock = note.headers.get("clock")
    if type(clock) is int and 0 <= clock < 1 << 62:
        app.clock.adjust(clock)
