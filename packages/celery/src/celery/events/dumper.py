"""Events as lines of text."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from typing import Any

from celery.app import app_or_default
from umbel.events.dump import Dump


class Dumper:
    """Writes a line for each event."""

    def __init__(self, out: Any = sys.stdout):
        self.out = out
        self._dump = Dump(self.say)

    def say(self, msg: str) -> None:
        """Write a line."""
        print(msg, file=self.out, flush=True)

    def on_event(self, ev: Any) -> None:
        """Write a line about an event."""
        self._dump.on_event(ev)

    def format_task_event(self, hostname: str, timestamp: datetime, type: str, task: Any, event: Any) -> None:
        """Write a line about an event of a task."""
        fields = ", ".join(f"{key}={event[key]}" for key in sorted(event))
        self.say(f"{hostname} [{timestamp}] {type.replace('-', ' ').lower()}: {task} {fields}")


def evdump(app: Any = None, out: Any = sys.stdout) -> None:
    """Write all events, until interrupted."""
    app = app_or_default(app)
    dumper = Dumper(out=out)
    dumper.say("-> evdump: starting capture...")
    receiver = app.events.Receiver(app.connection_for_read(), handlers={"*": dumper.on_event})
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        receiver.capture()


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
