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
        from umbel import log

        conf, wish = self.app.conf, self.options
        handled = self.app.log.setup(wish.get("loglevel"), wish.get("logfile"), colorize=colorize, hostname=self.hostname)
        if conf.worker_redirect_stdouts and not handled:
            log.redirect(conf.worker_redirect_stdouts_level)
        return handled


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
