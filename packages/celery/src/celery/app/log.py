"""Logging, as `app.log`."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from celery.utils.log import ColorFormatter, LoggingProxy, get_logger, mlevel
from umbel import guise, log, signals
from umbel.client.logbook import Log, set_up

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


_STEPS = ("_configure_logger", "setup_handlers", "setup_task_loggers", "_detect_handler")


class Logging(Log):
    """Sets up loggers, unless a receiver of `setup_logging` does.

    As long as nobody overrides one of the steps, umbel does them all in its own way.
    """

    already_setup = False
    _wishes: tuple[Any, Any, Any] | None = None
    """What `setup` was last called with."""

    def __init__(self, app: Any):
        super().__init__(app)
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
    ) -> Any:
        """Set up everything; true if a receiver did."""
        loglevel = mlevel(loglevel)
        self._wishes = loglevel, logfile, hostname
        handled = self.setup_logging_subsystem(loglevel, logfile, colorize=colorize, hostname=hostname)
        if redirect_stdouts and not handled:
            self.redirect_stdouts(redirect_level)
        return handled

    def tell_child(self) -> None:
        """In a child process of a worker: enter `setup` as its parent did, where a subclass has one of its own."""
        if self._wishes is not None and self._overrides("setup"):
            loglevel, logfile, hostname = self._wishes
            set_up(self.app, loglevel, logfile, hostname=hostname)

    def redirect_stdouts(self, loglevel: Any = None, name: str = "celery.redirected") -> None:  # type: ignore[override]
        """Let what is printed go to the log."""
        if name == "celery.redirected" and not self._overrides("redirect_stdouts_to_logger"):
            log.redirect(mlevel(loglevel) or logging.WARNING)
            return
        self.redirect_stdouts_to_logger(get_logger(name), loglevel=loglevel)

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
        Logging.already_setup = True
        level = mlevel(loglevel or self.loglevel)
        conf = self.app.conf
        shown = {"loglevel": level, "logfile": logfile, "format": format or self.format}
        shown["colorize"] = self.supports_color(colorize, logfile)
        receivers = signals.setup_logging.send(None, **shown)
        if receivers:
            return receivers
        root = logging.getLogger()
        if self._overrides(*_STEPS):
            if conf.worker_hijack_root_logger:
                root.handlers = []
            how = {"datefmt": datefmt, **kwargs}
            for logger, least in ((root, level), (self._of_processes(), max(level, logging.ERROR))):
                self._configure_logger(logger, logfile, least, shown["format"], shown["colorize"], **how)
        else:
            self._set_up(level, logfile, shown["format"], shown["colorize"], datefmt)
        signals.after_setup_logger.send(None, logger=root, **shown)
        task_logger = self.setup_task_loggers(level, logfile, colorize=shown["colorize"])
        signals.after_setup_task_logger.send(None, logger=task_logger, **{**shown, "format": self.task_format})
        return receivers

    def _overrides(self, *names: str) -> bool:
        """True if a subclass has one of these of its own."""
        return any(getattr(type(self), name) is not getattr(Logging, name) or name in vars(self) for name in names)

    def _of_processes(self) -> logging.Logger:
        from multiprocessing import get_logger as logger_of_processes

        return logger_of_processes()

    def _set_up(self, level: int, logfile: Any, format: str, colorize: bool, datefmt: str | None) -> None:
        """The root logger, umbel's way."""
        conf = self.app.conf
        log.set_up_root(
            level,
            logfile,
            format=format,
            task_format=self.task_format,
            datefmt=datefmt or conf.worker_log_datefmt,
            color=colorize,
            hijack_root=conf.worker_hijack_root_logger,
        )

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
        logger = guise.logger("umbel.task")
        if not self._overrides(*_STEPS):
            if self.app.conf.worker_hijack_root_logger or not logging.getLogger().handlers:
                conf = self.app.conf
                colorize = self.supports_color(colorize, logfile)
                format, datefmt = format or self.task_format, datefmt or conf.worker_task_log_datefmt
                log.set_up_tasks(logfile, format=format, datefmt=datefmt, color=colorize)
                logger.propagate = bool(propagate)
            return logger
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
        return colorize is not False and log.is_colored(logfile)

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
        return logging.StreamHandler(logfile) if hasattr(logfile, "write") else log.file_handler(logfile)

    def get_default_logger(self, name: str = "celery", **kwargs: Any) -> logging.Logger:
        """The logger of that name."""
        return get_logger(name)
