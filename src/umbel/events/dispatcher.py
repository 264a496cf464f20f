"""Tells of events: each gets who tells it and when, and leaves by a sender that nobody waits for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from umbel.events.event import Event, event, group_of, key_of, utc_offset
from umbel.events.sender import Sender, Waiting
from umbel.wire.lamport import Lamport


class Dispatcher:
    """Tells of events as one node. Any thread may use it."""

    def __init__(
        self, sender: Sender, *, hostname: str, clock: Lamport, groups: Iterable[str] | None = None, enabled: bool = True
    ):
        """With `groups` it tells of these alone (`task`, `worker`), else of all."""
        self.sender = sender
        self.hostname = hostname
        self.clock = clock
        self.groups = set(groups or ())
        self.enabled = enabled

    def send(self, type: str, *, blind: bool = False, **fields: Any) -> Event | None:
        """Tell of something that happens now; gives the event, None if nobody is to be told.

        Returns at once. `blind`: the clock does not go on, as for what tells of nothing new.
        """
        if not self.enabled or (self.groups and group_of(type) not in self.groups):
            return None
        made = self.made(type, fields, blind=blind)
        self.sender.send((Waiting(self.hostname, made, key_of(type)),))
        return made

    def made(self, type: str, fields: dict[str, Any], *, blind: bool = False) -> Event:
        """The event, which is not sent yet."""
        source = {"hostname": self.hostname, "utcoffset": utc_offset(), "pid": os.getpid()}
        return event(type, {**source, "clock": None if blind else self.clock.forward(), **fields})

    def enable(self) -> None:
        """Tell from now on."""
        self.enabled = True

    def disable(self) -> None:
        """Tell nothing any more."""
        self.enabled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()

    def flush(self, seconds: float = 1.0) -> bool:
        """Wait until all is sent, at most so long; True if it is."""
        return self.sender.flush(seconds)
