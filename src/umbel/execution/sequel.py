"""What comes after a run, as far as a run must know of it; the room `follow` sees to it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from umbel.execution.ending import Ending
from umbel.execution.outcome import Outcome
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed


class Sequel(Protocol):
    """Any thread may use it."""

    def check(self, embed: Embed, /) -> None:
        """Raises InvalidTaskError for what could not be sent after the run: better told before it than after."""

    def complete(self, task: Runnable, request: Request, ending: Ending, *, untouched: bool = False) -> Ending:
        """The ending with all that follows; a failure if that of a success cannot be made into bytes.

        `untouched`: nobody has seen the request, so that what follows is what came in the message.
        """

    def untaken(self, envelope: Envelope, state: str, error: Exception, outcome: Outcome) -> Outcome:
        """The outcome of a message that does not run at all, with word for all who count on it."""


S = TypeVar("S", bound=Sequel)
