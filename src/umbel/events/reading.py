"""From the bytes of a message to events: anybody may have sent them, so anything may be in them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from umbel import clock, guise
from umbel.errors import DecodeError
from umbel.events.event import Event, utc_offset
from umbel.wire import encoding
from umbel.wire.brief import brief, told
from umbel.wire.lamport import Lamport

log = guise.logger("umbel.events")

LATER = -1
"""What clients are taken to be behind: what they send is told of before a worker can have got it."""
FURTHEST = 2**62
"""Clocks beyond it are nobody's: one message must not send the clocks of all others to where they cannot count on."""
_OFFSETS = 26


class Reader:
    """Makes events of messages, by this machine's clocks. What is none is refused; each kind of it is logged once."""

    def __init__(self, clock_: Lamport, accept: frozenset[str]):
        self._clock = clock_
        self._accept = accept
        self.refused: Counter[str] = Counter()
        """How many were refused, by the reason."""

    def read(self, body: bytes, content_type: str, content_encoding: str) -> list[Event]:
        """The events of one message; none if it holds no events."""
        try:
            found = encoding.loads(body, content_type, content_encoding, accept=self._accept)
        except DecodeError as problem:
            self._refuse("a message cannot be read", told(problem))
            return []
        many = found if isinstance(found, list) else [found]
        now, here = clock.now(), utc_offset()
        return [each for each in many if self._take_in(each, now, here)]

    def _take_in(self, found: Any, now: float, here: int) -> bool:
        """Complete an event by when and where it is received; False if it is none."""
        if not isinstance(found, dict):
            return self._refuse("it is no object", found)
        type_, hostname = found.get("type"), found.get("hostname")
        if not (isinstance(type_, str) and type_ and isinstance(hostname, str) and hostname):
            return self._refuse("it has no type or no hostname", found)
        if type_.startswith("task-") and not isinstance(found.get("uuid"), str):
            return self._refuse("it is of a task, and has no id of one", found)
        told_at, behind = found.get("timestamp", now), found.get("utcoffset", 0)
        if not _is_number(told_at) or not _is_number(behind) or not -_OFFSETS <= behind <= _OFFSETS:
            return self._refuse("its time is none", found)
        moment = found.get("clock", 0)
        if not isinstance(moment, int) or isinstance(moment, bool) or not 0 <= moment <= FURTHEST:
            return self._refuse("its clock is none", found)
        found["type"] = type_.lower()
        if type_ == "task-sent":
            found["clock"] = (self._clock.value or 1) + LATER
        self._clock.adjust(found.setdefault("clock", 0))
        found["timestamp"] = told_at - (behind - here) * 3600 if "utcoffset" in found else told_at
        found["local_received"] = now
        return True

    def _refuse(self, reason: str, what: Any) -> bool:
        self.refused[reason] += 1
        if self.refused[reason] == 1:
            log.warning("An event is refused, %s: %s (further ones of this kind are refused silently)", reason, brief(what, 200))
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -FURTHEST < value < FURTHEST
