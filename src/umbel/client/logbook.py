"""Sets up what a worker or a beat writes to its log: `app.log`."""

from __future__ import annotations

import logging
from typing import Any

from umbel import guise, log, signals


def set_up(app: Any, loglevel: str | int | None, logfile: str | None, **how: Any) -> Any:
    """Set up an app's log by its settings, what is printed included; true if a receiver of `setup_logging` did it."""
    conf = app.conf
    prints, level = conf.worker_redirect_stdouts, conf.worker_redirect_stdouts_level
    return app.log.setup(loglevel, logfile, prints, level, **how)  # as Celery passes it to classes of others


class Log:
    """One app's. Derive from it, and give the class as `Umbel(log=…)` or as the attribute `log_cls`, also by its path.

    A worker or a beat calls `setup`, from which all else is called, and `redirect_stdouts`.
    """

    def __init__(self, app: Any):
        self.app = app

    def setup(
        self,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        redirect_stdouts: bool = False,
        redirect_level: str | int = "WARNING",
        colorize: bool | None = None,
        hostname: str | None = None,
    ) -> bool:
        """Set up all loggers, and what is printed if it is to go there; True if a receiver of `setup_logging` did it all."""
        handled = self.setup_logging_subsystem(loglevel, logfile, colorize=colorize, hostname=hostname)
        if redirect_stdouts and not handled:
            self.redirect_stdouts(redirect_level)
        return bool(handled)

    def setup_logging_subsystem(
        self,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        format: str | None = None,
        colorize: bool | None = None,
        hostname: str | None = None,
        datefmt: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Set up the root logger and that of tasks, unless receivers of `setup_logging` do; gives what these answered."""
        conf = self.app.conf
        level = log.level_of("WARNING" if loglevel is None else loglevel)
        color = conf.worker_log_color if colorize is None else colorize
        format = format or conf.worker_log_format
        shown = {"loglevel": level, "logfile": logfile, "format": format, "colorize": color}
        answers = signals.setup_logging.send(None, **shown)
        if answers:
            return answers
        datefmt = datefmt or conf.worker_log_datefmt
        self._configure_logger(logging.getLogger(), logfile, level, str(format), color, datefmt=datefmt)
        signals.after_setup_logger.send(None, logger=logging.getLogger(), **shown)
        tasks = self.setup_task_loggers(level, logfile, colorize=color)
        signals.after_setup_task_logger.send(None, logger=tasks, **shown | {"format": conf.worker_task_log_format})
        return answers

    def _configure_logger(
        self,
        logger: logging.Logger,
        logfile: str | None,
        loglevel: int,
        format: str,
        colorize: bool | None,
        datefmt: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Set up the root logger; for subclasses."""
        conf = self.app.conf
        log.set_up_root(
            loglevel,
            logfile,
            format=format,
            task_format=conf.worker_task_log_format,
            datefmt=datefmt,
            color=colorize,
            hijack_root=conf.worker_hijack_root_logger,
        )

    def setup_task_loggers(
        self,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        format: str | None = None,
        colorize: bool | None = None,
        propagate: bool = False,
        datefmt: str | None = None,
        **kwargs: Any,
    ) -> logging.Logger:
        """Set up the logger that all of `get_task_logger` belong to, and give it."""
        conf = self.app.conf
        if not conf.worker_hijack_root_logger and logging.getLogger().handlers:
            return guise.logger("umbel.task")
        format = format or conf.worker_task_log_format
        made = log.set_up_tasks(logfile, format=format, datefmt=datefmt or conf.worker_task_log_datefmt, color=colorize)
        made.propagate = propagate
        return made

    def redirect_stdouts(self, loglevel: str | int | None = None, name: str | None = None) -> None:
        """From now on what this process and its children print goes to the log."""
        log.redirect("WARNING" if loglevel is None else loglevel)

    def supports_color(self, colorize: bool | None = None, logfile: str | None = None) -> bool:
        """True if lines that go there should be coloured."""
        return log.is_colored(logfile, self.app.conf.worker_log_color if colorize is None else colorize)

    def get_default_logger(self, name: str | None = None) -> logging.Logger:
        """The logger of that name; without one, that of all that umbel says."""
        return guise.logger("umbel") if name is None else logging.getLogger(name)
