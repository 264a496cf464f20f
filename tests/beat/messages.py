"""What lies in a queue, as the ticks it came from."""

from __future__ import annotations

import json
from typing import Any

from umbel import Umbel
from umbel.stores.broker import Conclusion


def drain(app: Umbel, queue: str = "celery") -> list[dict[str, Any]]:
    """All messages of a queue, taken out: headers, with `args`, `kwargs`, and `due`, the time in the id."""
    broker, found = app.broker, []
    while held := broker.reserve([queue], 1000, 0.0):
        for delivery in held:
            headers = json.loads(delivery.envelope.headers)
            args, kwargs, _ = json.loads(delivery.envelope.body)
            due = int(headers["id"].replace("-", "")[:12], 16) / 1000
            found.append({**headers, "args": args, "kwargs": kwargs, "due": due, "priority": delivery.envelope.priority})
        broker.conclude([Conclusion(delivery) for delivery in held])
    return found


def waiting(app: Umbel, queue: str = "celery") -> int:
    """How many messages a queue has."""
    return app.broker.depth([queue])[queue].ready
