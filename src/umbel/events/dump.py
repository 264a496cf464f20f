"""Events as lines of text, one for each."""

from __future__ import annotations

from collections.abc import Callable

from umbel import clock
from umbel.events.event import Event
from umbel.events.recent import Recent

HUMAN = {"worker-online": "started", "worker-heartbeat": "heartbeat", "worker-offline": "shutdown"}
NOT_SHOWN = frozenset({"type", "hostname", "timestamp", "uuid", "name", "args", "kwargs"})


class Dump:
    """Writes each event by `say`, with what earlier ones have told of its task."""

    def __init__(self, say: Callable[[str], object]):
        self._say = say
        self._known: Recent[str, str] = Recent(4095)
        """What tasks are called, by id."""

    def on_event(self, event: Event) -> None:
        """Write a line about it."""
        type_ = event["type"]
        moment = clock.utc(event["timestamp"])
        about = "" if not type_.startswith("task-") else self._task(event)
        hidden = NOT_SHOWN if about else NOT_SHOWN - {"uuid", "name", "args", "kwargs"}
        fields = ", ".join(f"{key}={event[key]}" for key in sorted(event.keys() - hidden))
        text = HUMAN.get(type_, type_.replace("-", " "))
        self._say(f"{event['hostname']} [{moment}] {text}: {about}{fields}")

    def _task(self, event: Event) -> str:
        uuid = event["uuid"]
        if event.get("name"):
            self._known[uuid] = f"{event['name']}({uuid}) args={event.get('args')} kwargs={event.get('kwargs')} "
        return self._known.get(uuid, f"({uuid}) ")
