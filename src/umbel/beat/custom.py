"""Lets a scheduler of somebody's own, written for Celery, do the work of a beat that leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from umbel import clock, guise
from umbel.client.app import Umbel

log = guise.logger("umbel.beat")


class Custom:
    """Runs a class with Celery's methods, `tick` above all. Belongs to the thread of its beat.

    It is made anew whenever its beat comes to lead, so that it begins with what the leader before it has left.
    """

    def __init__(self, app: Umbel, kind: type[Any], *, max_interval: float | None, may_send: Callable[[], bool]):
        self._app = app
        self._kind = kind
        self._max_interval = max_interval
        self._may_send = may_send
        self._made: Any = None
        self._next = 0.0
        self._has_failed = False

    @property
    def scheduler(self) -> Any:
        """The instance; made when it is first wanted."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> Any:
        filename = self._app.conf.beat_schedule_filename
        return self._kind(app=self._app, max_interval=self._max_interval, schedule_filename=filename, lazy=False)

    def prepare(self) -> None:
        """Nothing: it has its own way to its entries."""

    def begin(self) -> None:
        """Make it, and let it read its entries; after a failure anew, since it may have passed over a change."""
        self._next = 0.0
        if not self._has_failed:
            _ = self.scheduler
            return
        self._has_failed = False
        try:
            if self._made is not None:
                self._made._do_sync()
            self._made = self._make()
        except Exception:
            if self._made is None:
                raise
            log.exception("The schedule cannot be read anew: what was read before goes on")

    def compare(self, leader: str) -> None:
        """Nothing: what it sends is its own affair."""

    def look(self) -> None:
        """Let it save what it has to."""
        if self.scheduler.should_sync():
            self.scheduler._do_sync()

    def work(self) -> float | None:
        """Let it tick until nothing more is due; gives the seconds until its next tick."""
        while (left := self._next - clock.monotonic()) <= 0:
            if not self._may_send():
                return None
            try:
                wait = self.scheduler.tick()
            except Exception:
                self._has_failed = True
                raise
            self._next = clock.monotonic() + float(wait or 0.0)
        return left

    def end(self, *, in_order: bool) -> None:
        """Let it close; the next lead begins with another."""
        made, self._made = self._made, None
        if made is not None and in_order:
            made.close()
