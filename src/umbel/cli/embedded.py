"""A beat inside a worker's process, for `umbel worker -B`."""

from __future__ import annotations

import threading

from umbel import guise, signals
from umbel.beat import Beat, find_scheduler
from umbel.client.app import Umbel

log = guise.logger("umbel.beat")

LAST_WORDS = 5.0
"""Seconds that a stop waits for a store that does not answer."""


class EmbeddedBeat:
    """A beat in a thread of its own. If it fails, that is logged, and the worker goes on."""

    def __init__(self, app: Umbel, scheduler: str | None):
        self._beat = Beat(app, scheduler=find_scheduler(scheduler or app.conf.beat_scheduler), embedded=True)
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Begin; it ends as soon as the worker is asked to stop, so that another beat leads while that finishes its tasks."""
        signals.worker_shutting_down.connect(self._asked, weak=False)
        self._thread.start()

    def stop(self) -> None:
        """End it, and wait for that."""
        signals.worker_shutting_down.disconnect(self._asked)
        self._beat.stop()
        if self._thread.is_alive():
            self._thread.join(LAST_WORDS)

    def _asked(self, **_: object) -> None:
        self._beat.stop()

    def _run(self) -> None:
        try:
            self._beat.run()
        except Exception:
            log.critical("The beat of this worker has ended; others send in its place, if there are any", exc_info=True)
