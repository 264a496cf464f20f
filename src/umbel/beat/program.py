"""A beat of one app in any program: `app.Beat(loglevel="INFO").run()`."""

from __future__ import annotations

from typing import Any

from umbel.beat.beat import Beat
from umbel.beat.finding import find_scheduler
from umbel.client.logbook import set_up


class AppBeat(Beat):
    """What `app.Beat` is, where it has its app from. `run` sends until `stop` is called, from any thread.

    Takes what `umbel.beat.beat.Beat` takes, and: `loglevel` or `logfile`, which let it set up the log as `umbel beat` does
    (without them it leaves the program's alone). `scheduler` may be named by its path, or by an entry point.
    """

    app: Any = None

    def __init__(
        self,
        app: Any = None,
        *,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        scheduler: Any = None,
        **options: Any,
    ):
        app = self.app if app is None else app
        app.loader.init_worker()
        app.finalize(auto=True)
        super().__init__(app, scheduler=find_scheduler(scheduler or app.conf.beat_scheduler), **options)
        self._wishes = loglevel, logfile

    def run(self) -> None:
        """Send until told to stop."""
        loglevel, logfile = self._wishes
        if loglevel is not None or logfile is not None:
            set_up(self.app, loglevel, logfile)
        super().run()

    start = run
