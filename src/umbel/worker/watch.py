"""Watchers of single calls, in the worker's own process: what becomes of a call is told to an object that was made for it.

A face over umbel has tasks with such classes; where no task has one, none of this is entered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from umbel import guise, shown
from umbel.errors import SoftTimeLimitExceeded, WorkerLostError
from umbel.execution.einfo import ExceptionInfo
from umbel.execution.ending import overrun
from umbel.execution.outcome import Begun, Kind, Outcome
from umbel.wire import result
from umbel.worker.ticket import Ticket

log = guise.logger("umbel.worker.watch")


class Watcher(Protocol):
    """What is told of one call, as Celery's requests are. What it raises is logged, and changes nothing."""

    def on_accepted(self, pid: int, time_accepted: float) -> object:
        """A process has begun it."""

    def on_success(self, failed__retval__runtime: Any) -> object:
        """It has succeeded: False, its value, and how long it took."""

    def on_retry(self, exc_info: Any) -> object:
        """It is to be tried again."""

    def on_failure(self, exc_info: Any) -> object:
        """It has failed for good."""

    def on_timeout(self, soft: bool, timeout: float) -> object:
        """It has passed a limit. Of a soft one it is told when the run has ended."""


class Watch:
    """Makes watchers and tells them. Belongs to the event loop's thread."""

    def __init__(self, accept: frozenset[str], serializer: str, makers: dict[str, Callable[[Ticket], Watcher]]):
        self.makers = makers
        """By the name of the task."""
        self._accept = accept
        self._serializer = serializer
        self._made: dict[int, Watcher] = {}

    def begun(self, ticket: Ticket, begun: Begun) -> None:
        """Its run has begun."""
        self._tell(ticket, "on_accepted", begun.pid, begun.when)

    def ended(self, ticket: Ticket, outcome: Outcome) -> None:
        """Its run has ended."""
        soft, kind = ticket.job.soft, outcome.kind
        value = self._value(outcome)
        if kind is Kind.SUCCESS:
            if soft is not None and outcome.runtime >= soft:
                self._tell(ticket, "on_timeout", True, soft)
            self._tell(ticket, "on_success", (False, value, outcome.runtime))
        elif kind is Kind.RETRY:
            self._tell(ticket, "on_retry", _einfo(value, outcome))
        elif kind is Kind.TIMEOUT:
            self._tell(ticket, "on_timeout", False, ticket.job.hard or 0.0)
            self._tell(ticket, "on_failure", _einfo(overrun(ticket.job.hard), outcome))
        elif kind in (Kind.FAILURE, Kind.MISFIT, Kind.UNREADABLE):
            if isinstance(value, SoftTimeLimitExceeded):
                self._tell(ticket, "on_timeout", True, soft or 0.0)
            self._tell(ticket, "on_failure", _einfo(value, outcome))
        elif kind is Kind.LOST:
            self._tell(ticket, "on_failure", _einfo(WorkerLostError(outcome.text), outcome))
        self._made.pop(ticket.job.number, None)

    def _value(self, outcome: Outcome) -> Any:
        """What the run gave; where nobody wanted to keep it, its text."""
        with suppress(Exception):  # of a store that writes documents of its own
            return result.decode(outcome.results[0], self._accept, self._serializer).result
        return outcome.text

    def _tell(self, ticket: Ticket, what: str, *told: Any) -> None:
        try:
            watcher = self._made.get(ticket.job.number)
            if watcher is None:
                watcher = self._made[ticket.job.number] = self.makers[ticket.job.task](ticket)
            getattr(watcher, what)(*told)
        except Exception:
            log.exception("%s of the request of %s failed", what, shown.line(str(ticket)))


def _einfo(value: Any, outcome: Outcome) -> ExceptionInfo:
    error = value if isinstance(value, BaseException) else WorkerLostError(outcome.text)
    found = ExceptionInfo(error)
    found.traceback = outcome.traceback or found.traceback
    return found
