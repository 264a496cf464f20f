"""Asking and telling all workers: one note goes out, and answers come back into a box, until all have answered or time is up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from umbel import clock
from umbel.client.remote.request import ASKED, KEPT
from umbel.errors import BrokerError, DecodeError, ImproperlyConfigured
from umbel.stores.channel import Box, Channel, Note
from umbel.wire.encoding import accept_types, dumps, loads

if TYPE_CHECKING:
    from umbel.client.current import App

Reply = dict[str, Any]
"""What one node has answered: its name, and the answer."""


class Broadcast:
    """One request to workers; `send` tells it, `ask` waits for answers, too."""

    def __init__(
        self,
        app: App,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        destination: str | Sequence[str] | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
        kept: bool = False,
    ):
        """`kept`: the store remembers it as well, so that umbel's workers need not write it down once more.

        An empty list is everybody, as Celery has it. Raises ValueError if the destination is no list of names.
        """
        self._app = app
        self._command = command
        self._arguments = dict(arguments or {})
        if isinstance(destination, str):
            destination = [name for name in destination.split(",") if name]
        if destination is not None and not (
            isinstance(destination, list | tuple | set) and all(isinstance(name, str) for name in destination)
        ):
            raise ValueError(f"destination is a list of the names of workers, as in ['celery@host'], and not {destination!r}")
        self._destination = None if destination is None else list(destination)
        self._pattern = pattern
        self._matcher = matcher
        self._kept = kept

    def send(self) -> int:
        """Tell it, and wait for no answer; gives how many listeners it has reached."""
        return self._app.channel.publish([self._note({}, 0)])

    def ask(
        self, timeout: float | None, limit: int | None = None, callback: Callable[[Reply], object] | None = None
    ) -> list[Reply]:
        """The answers that came within `timeout` seconds (1): all are in as soon as everybody who listens has answered.

        `callback` is called with each as it comes.
        """
        timeout = 1.0 if timeout is None else timeout
        channel: Channel = self._app.channel
        ticket = str(uuid.uuid4())
        end = clock.monotonic() + timeout
        with channel.box(f"reply.{self._app.conf.control_exchange}.pidbox") as box:
            reply_to = {"exchange": box.exchange, "routing_key": box.address}
            note = self._note({"ticket": ticket, "reply_to": reply_to}, clock.now() + timeout)
            note.headers.setdefault("umbel", ASKED)
            reached = channel.publish([note])
            wanted = (limit if limit and limit > 0 else None) or (len(self._destination) if self._destination else None)
            most = reached if wanted is None else min(wanted, reached)
            return self._collect(box, ticket, end, most, reached, callback)

    def _collect(
        self, box: Box, ticket: str, end: float, most: int, reached: int, callback: Callable[[Reply], object] | None
    ) -> list[Reply]:
        conf = self._app.conf
        accept = accept_types({*conf.accept_content, conf.task_serializer, "json"})
        found: list[Reply] = []
        count = 0
        while (count < reached and len(found) < most) and (left := end - clock.monotonic()) > 0:
            for note in box.receive(left):
                if note.headers.get("ticket") not in (ticket, None):
                    continue
                try:
                    reply = loads(note.body, note.content_type, note.content_encoding, accept)
                except DecodeError:
                    continue
                if not isinstance(reply, dict):
                    continue
                at = note.headers.get("clock")
                if type(at) is int:
                    self._app.clock.adjust(at)
                count += 1
                if not reply:  # from one who listens and has nothing to say of it
                    continue
                if callback is not None:
                    callback(reply)
                found.append(reply)
        return found[:most] if most else found

    def _note(self, more: dict[str, Any], expires: float) -> Note:
        body = {
            "method": self._command,
            "arguments": self._arguments,
            "destination": self._destination,
            "pattern": self._pattern,
            "matcher": self._matcher,
            **more,
        }
        conf = self._app.conf
        kind, codec, data = dumps(body, conf.task_serializer, name="request")
        headers: dict[str, Any] = {"clock": self._app.clock.forward(), "expires": expires}
        if self._kept:
            headers["umbel"] = KEPT
        return Note(f"{conf.control_exchange}.pidbox", "", data, headers, kind, codec, 2)


def told_if_possible(broadcast: Broadcast) -> None:
    """Tell it where that can be: what is to be told stands in the store already."""
    try:
        broadcast.send()
    except (BrokerError, ImproperlyConfigured):  # workers look themselves, a moment later
        return
