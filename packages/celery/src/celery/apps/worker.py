"""A worker as a program."""

from __future__ import annotations

from typing import Any

from celery.worker import WorkController


class Worker(WorkController):
    """A worker that sets up logging, too."""

    def on_before_init(self, quiet: bool = False, **kwargs: Any) -> None:
        """For subclasses."""
        self.quiet = quiet

    def on_start(self) -> None:
        """Set up logging."""
        self.setup_logging()

    def setup_logging(self, colorize: bool | None = None) -> Any:
        """Set up logging."""
        conf = self.app.conf
        return self.app.log.setup(
            self.options.get("loglevel"),
            self.options.get("logfile"),
            redirect_stdouts=conf.worker_redirect_stdouts,
            redirect_level=conf.worker_redirect_stdouts_level,
            colorize=colorize,
            hostname=self.hostname,
        )


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
