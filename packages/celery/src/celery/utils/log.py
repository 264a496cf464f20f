"""Loggers."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from umbel.log import LineFormatter
from umbel.log import get_task_logger as get_task_logger

LOG_LEVELS: dict[Any, Any] = {**logging._nameToLevel, "FATAL": logging.FATAL, logging.FATAL: "FATAL"}
LOG_LEVELS |= {level: name for name, level in logging._nameToLevel.items() if name != "WARN"}
RESERVED_LOGGER_NAMES = frozenset({"celery", "celery.task"})

_in_sighandler = False

base_logger = logger = logging.getLogger("celery")


def set_in_sighandler(value: bool) -> None:
    """Say that a signal is being handled."""
    global _in_sighandler
    _in_sighandler = value


def iter_open_logger_fds() -> Iterator[Any]:
    """The open files of loggers."""
    seen: set[int] = set()
    for each in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
        for handler in getattr(each, "handlers", ()):
            stream = getattr(handler, "stream", None)
            if stream is not None and id(stream) not in seen:
                seen.add(id(stream))
                yield stream


@contextmanager
def in_sighandler() -> Iterator[None]:
    """The same, for a `with` block."""
    set_in_sighandler(True)
    try:
        yield
    finally:
        set_in_sighandler(False)


def logger_isa(l: logging.Logger, p: logging.Logger, max: int = 1000) -> bool:  # noqa: E741 - Celery's name
    """True if one logger is an ancestor of the other, or the same."""
    this: Any = l
    for _ in range(max):
        if this is p:
            return True
        this = this.parent
        if not this:
            return False
    raise RuntimeError(f"the logger {l.name} has more than {max} ancestors")


def _using_logger_parent(parent_logger: logging.Logger, logger_: logging.Logger) -> logging.Logger:
    if not logger_isa(logger_, parent_logger):
        logger_.parent = parent_logger
    return logger_


def get_logger(name: str) -> logging.Logger:
    """The logger called `name`; one inside of others is a child of `celery`, unless one of those is."""
    found = logging.getLogger(name)
    if logging.root not in (found, found.parent) and found is not base_logger:
        found = _using_logger_parent(base_logger, found)
    return found


def mlevel(level: Any) -> Any:
    """The number of a level."""
    return LOG_LEVELS[level.upper()] if level and not isinstance(level, int) else level


class ColorFormatter(LineFormatter):
    """Lines in the colours of their levels."""

    @property
    def colors(self) -> dict[str, Any]:
        """Colours by level."""
        from celery.utils.term import colored

        found = colored().names
        return {
            "DEBUG": found["blue"],
            "WARNING": found["yellow"],
            "ERROR": found["red"],
            "CRITICAL": found["magenta"],
        }

    COLORS = {"black": "black", "blue": "blue", "red": "red", "yellow": "yellow", "magenta": "magenta"}  # noqa: RUF012

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None):
        super().__init__(fmt, use_color, datefmt=datefmt)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """The traceback."""
        return super().formatException(ei if not isinstance(ei, tuple) or ei else sys.exc_info())


class LoggingProxy:
    """Stands in for a stream: each line written becomes a line of the log."""

    mode = "w"
    name: str | None = None
    closed = False
    loglevel: Any = logging.ERROR

    def __init__(self, logger: logging.Logger, loglevel: Any = None):
        self.logger = logger
        self.loglevel = mlevel(loglevel or self.logger.level or self.loglevel)
        self._thread = threading.local()

    def write(self, data: Any) -> int:
        """Log each line of the text."""
        if getattr(self._thread, "recurse_protection", False) or not data or self.closed:
            return 0
        self._thread.recurse_protection = True
        try:
            text = data.decode(errors="replace") if isinstance(data, bytes) else str(data)
            for line in filter(None, (each.strip() for each in text.splitlines())):
                self.logger.log(self.loglevel, "%s", line)
            return len(data)
        finally:
            self._thread.recurse_protection = False

    def writelines(self, sequence: Any) -> None:
        """Log several."""
        for part in sequence:
            self.write(part)

    def flush(self) -> None:
        """Nothing to be done."""

    def close(self) -> None:
        """Log no more."""
        self.closed = True

    def isatty(self) -> bool:
        """Never."""
        return False

    def fileno(self) -> int:
        """That of the stream that it stands for."""
        return sys.__stderr__.fileno()  # type: ignore[union-attr]  # a program without one asks for none


def get_multiprocessing_logger() -> Any:
    """billiard's logger."""
    from billiard import util

    return util.get_logger()


def reset_multiprocessing_logger() -> None:
    """Forget billiard's logger."""
    from billiard import util

    if hasattr(util, "_logger"):
        util._logger = None


def current_process() -> Any:
    """This process, as billiard has it."""
    from billiard import process

    return process.current_process()


def current_process_index(base: int = 1) -> Any:
    """The number of this process in its pool."""
    index = getattr(current_process(), "index", None)
    return index + base if index is not None else index
