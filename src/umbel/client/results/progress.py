"""How far a task is: told by the task, asked for by who waits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from umbel import clock, states
from umbel.errors import BrokerDown

if TYPE_CHECKING:
    from umbel.wire.result import Document

STATE = "PROGRESS"
SHARE = 20
"""Telling takes at most one part in so many of the task's time: what comes too soon after the last is passed over."""

_next: ContextVar[tuple[Any, float]] = ContextVar("umbel_progress", default=(None, 0.0))
"""The request that told last, and when it may again."""


class Progress(NamedTuple):
    """How far something is."""

    done: float
    total: float | None
    """None: nobody knows."""
    text: str | None = None
    """What it is doing."""

    @property
    def fraction(self) -> float | None:
        """How much is done, from 0 to 1; None if nobody knows."""
        return None if not self.total else min(max(self.done / self.total, 0.0), 1.0)

    def __str__(self) -> str:
        part = "" if self.fraction is None else f" ({self.fraction:.0%})"
        total = "" if self.total is None else f" of {self.total:g}"
        return f"{self.done:g}{total}{part}" + (f": {self.text}" if self.text else "")


def progress(done: float, total: float | None = None, text: str | None = None) -> None:
    """Tell those who wait for the running task how far it is: `progress(3, 10)`. Outside a run it does nothing.

    It may be called in every turn of a loop: it takes at most a twentieth of the time, and passes over the turns between; the
    last (`done` is `total`) is always told. A store that is away is no error.
    The state is then PROGRESS, with `{"current": done, "total": total}`, and `"description"` if there is a text.
    """
    from umbel.execution.request import current, opened  # here, as all that runs need is loaded late

    here = current.get()
    if here is None or here.owner is None:
        return
    request = opened(here)
    if request.called_directly or request.is_eager:
        return
    last, soonest = _next.get()
    if last is request and clock.monotonic() < soonest and done != total:
        return
    meta = {"current": done, "total": total} | ({} if text is None else {"description": text})
    began = clock.monotonic()
    with suppress(BrokerDown):
        request.owner.update_state(state=STATE, meta=meta)
    ended = clock.monotonic()
    _next.set((request, ended + SHARE * (ended - began)))


def told_by(document: Document | None) -> Progress | None:
    """What a task that has not ended tells in any state of its own, in the words that are usual; None if it tells nothing."""
    found = document.result if document is not None and document.status not in states.ALL_STATES else None
    if not isinstance(found, Mapping):
        return None
    done, total = _number(found, "current", "done"), _number(found, "total")
    percent = _number(found, "percent", "pct", "progress")
    if done is None and percent is not None:
        done, total = percent, 100.0
    text = found.get("description") or found.get("text")
    return None if done is None else Progress(done, total, str(text) if text else None)


def _number(found: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = found.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
    return None


def of_task(document: Document | None) -> Progress | None:
    """How far a task is; one that has ended is done."""
    if document is not None and document.status in states.READY_STATES:
        return Progress(1, 1)
    return told_by(document)
