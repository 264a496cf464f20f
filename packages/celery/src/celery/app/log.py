"""Logging, as `app.log`."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from celery.utils.log import ColorFormatter, LoggingProxy, get_logger, mlevel
from umbel import log, signals

MP_LOG = os.environ.get("MP_LOG")


class TaskFormatter(ColorFormatter):
    """Lines that tell which task speaks."""

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None):
        super().__init__(fmt, use_color, datefmt)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        running = log.current_task_of()
        record.__dict__.setdefault("task_name", running[0] if running else "???")
        record.__dict__.setdefault("task_id", running[1] if running else "???")
        return super().format(record)


class Logging:
    """Sets up loggers, unless a receiver of `setup_logging` does."""

    already_setup = False

    def __init__(self, app: Any):
        self.app = app
        conf = app.conf
        self.loglevel = mlevel(logging.WARNING)
        self.format = conf.worker_log_format
        self.task_format = conf.worker_task_log_format
        self.colorize = conf.worker_log_color

    def setup(
        self,
        loglevel: Any = None,
        logfile: Any = None,
        redirect_stdouts: bool = False,
        redirect_level: Any = "WARNING",
        colorize: bool | None = None,
        hostname: str | None = None,
    ) -> bool:
        """Set up everything; True if a receiver did."""
        handled = self.setup_logging_subsystem(loglevel, logfile, colorize=colorize, hostname=hostname)
        if redirect_stdouts and not handled:
            self.redirect_stdouts(redirect_level)
        return bool(handled)

    def redirect_stdouts(self, loglevel: Any = None, name: str = "celery.redirected") -> None:
        """Let what is printed go to the log."""
        self.redirect_stdouts_to_logger(get_logger(name), loglevel)

    def setup_logging_subsystem(
        self,
        loglevel: Any = None,
        logfile: Any = None,
        format: str | None = None,
        colorize: bool | None = None,
        hostname: str | None = None,
        datefmt: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Set up the root logger and that of tasks; gives what a receiver answered."""
        if self.already_setup:
            return None
        type(self).already_setup = True
        level = mlevel(loglevel or self.loglevel)
        format = format or self.format
        shown = {"loglevel": level, "logfile": logfile, "format": format, "colorize": self.supports_color(colorize, logfile)}
        receivers = signals.setup_logging.send(None, **shown)
        if receivers:
            return receivers
        root = logging.getLogger()
        if self.app.conf.worker_hijack_root_logger:
            root.handlers = []
        self._configure_logger(root, logfile, level, format, shown["colorize"], datefmt=datefmt, **kwargs)
        task_logger = self.setup_task_loggers(level, logfile, colorize=colorize, datefmt=datefmt)
        signals.after_setup_logger.send(None, logger=root, **shown)
        signals.after_setup_task_logger.send(None, logger=task_logger, **{**shown, "format": self.task_format})
        return receivers

    def _configure_logger(
        self, logger: Any, logfile: Any, loglevel: Any, format: str, colorize: Any, datefmt: str | None = None, **kwargs: Any
    ) -> None:
        if logger is not None:
            self.setup_handlers(logger, logfile, format, colorize, datefmt=datefmt, **kwargs)
            if loglevel:
                logger.setLevel(loglevel)

    def setup_task_loggers(
        self,
        loglevel: Any = None,
        logfile: Any = None,
        format: str | None = None,
        colorize: bool | None = None,
        propagate: bool = False,
        datefmt: str | None = None,
        **kwargs: Any,
    ) -> logging.Logger:
        """Set up the logger of tasks."""
        logger = log.get_task_logger("umbel.task")
        self.setup_handlers(
            logger,
            logfile,
            format or self.task_format,
            self.supports_color(colorize, logfile),
            formatter=TaskFormatter,
            datefmt=datefmt,
            **kwargs,
        )
        logger.setLevel(mlevel(loglevel or self.loglevel))
        logger.propagate = bool(propagate)
        return logger

    def redirect_stdouts_to_logger(
        self, logger: logging.Logger, loglevel: Any = None, stdout: bool = True, stderr: bool = True
    ) -> LoggingProxy:
        """Let what is printed go to this logger."""
        proxy = LoggingProxy(logger, loglevel)
        if stdout:
            sys.stdout = proxy  # type: ignore[assignment]  # what is printed to is less than a text stream
        if stderr:
            sys.stderr = proxy  # type: ignore[assignment]  # as above
        return proxy

    def supports_color(self, colorize: bool | None = None, logfile: Any = None) -> bool:
        """True if lines should be coloured."""
        colorize = self.colorize if colorize is None else colorize
        if colorize is None:
            return logfile is None and sys.stderr.isatty()
        return bool(colorize)

    def colored(self, logfile: Any = None, enabled: bool | None = None) -> Any:
        """Text in colours, if that is wanted."""
        from celery.utils.term import colored

        return colored(enabled=self.supports_color(enabled, logfile))

    def setup_handlers(
        self,
        logger: logging.Logger,
        logfile: Any,
        format: str,
        colorize: Any,
        formatter: Any = ColorFormatter,
        datefmt: str | None = None,
        **kwargs: Any,
    ) -> logging.Logger:
        """Give the logger a handler, unless it has one."""
        if not logger.handlers:
            handler = self._detect_handler(logfile)
            handler.setFormatter(formatter(format, use_color=colorize, datefmt=datefmt))
            logger.addHandler(handler)
        return logger

    def _detect_handler(self, logfile: Any = None) -> logging.Handler:
        logfile = sys.__stderr__ if logfile is None else logfile
        if hasattr(logfile, "write"):
            return logging.StreamHandler(logfile)
        from logging.handlers import WatchedFileHandler

        return WatchedFileHandler(logfile, encoding="utf-8")

    def get_default_logger(self, name: str = "celery", **kwargs: Any) -> logging.Logger:
        """The logger of that name."""
        return get_logger(name)
