"""Where umbel's lines go: its loggers, how a line looks, and what becomes of what tasks print.

Loggers: `umbel.worker` and `umbel.trace` speak for the worker, `umbel.task` is the parent of every task logger,
`umbel.redirected` repeats what tasks print. A program that only sends tasks configures nothing here.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from umbel import guise, shown

FORMAT = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"
TASK_FORMAT = "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL")


NOBODY = ("???", "???")
"""Name and id where no task runs."""


def _nothing_runs() -> tuple[str, str] | None:
    return None


current_task_of: Callable[[], tuple[str, str] | None] = _nothing_runs
"""Tells name and id of the task that runs here and now. The floor that knows what runs puts its own function here."""

_RED, _YELLOW, _GREY, _MAGENTA, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[90m", "\x1b[1;35m", "\x1b[0m"
_COLORS = {logging.DEBUG: _GREY, logging.WARNING: _YELLOW, logging.ERROR: _RED, logging.CRITICAL: _MAGENTA}

_task_logger = guise.logger("umbel.task")
_process_name = ""  # set in child processes; empty: what logging itself says
_index = 0
_per_process: list[tuple[logging.FileHandler, str]] = []  # file handlers whose path holds %i or %I, and that path


class LineFormatter(logging.Formatter):
    """One line, in the colour of its level; `%(task_name)s` and `%(task_id)s` may stand in any format.

    With `task_fmt`, what is logged while a task runs takes that format instead.
    """

    def __init__(
        self, fmt: str | None = None, use_color: bool = False, *, datefmt: str | None = None, task_fmt: str | None = None
    ):
        super().__init__(fmt or FORMAT, datefmt)
        self.use_color = use_color
        self._in_task = logging.Formatter(task_fmt, datefmt) if task_fmt else None

    def format(self, record: logging.LogRecord) -> str:
        """The line, coloured."""
        running = current_task_of() or NOBODY
        if not hasattr(record, "task_id"):
            record.task_name, record.task_id = map(shown.line, running)
        is_told_by_task = running is not NOBODY or getattr(record, "task_id", None) != NOBODY[1]
        if _process_name:
            record.processName = _process_name
        text = self._in_task.format(record) if is_told_by_task and self._in_task else super().format(record)
        color = _COLORS.get(record.levelno) if self.use_color else None
        return f"{color}{text}{_PLAIN}" if color else text


class TaskFormatter(LineFormatter):
    """A line that begins with the name and id of the task that says it."""

    def __init__(self, fmt: str | None = None, use_color: bool = False, *, datefmt: str | None = None):
        super().__init__(fmt or TASK_FORMAT, use_color, datefmt=datefmt)


def get_task_logger(name: str) -> logging.Logger:
    """The logger called `name`, as a child of `umbel.task`: its lines tell which task speaks."""
    if name == _task_logger.name:
        return _task_logger
    logger = logging.getLogger(name)
    ancestor: logging.Logger | None = logger
    while ancestor is not None and ancestor is not _task_logger:
        ancestor = ancestor.parent
    if ancestor is None:
        logger.parent = _task_logger
    return logger


def level_of(level: str | int) -> int:
    """The number of a level given by name (in any case) or number; `ValueError` names the levels there are."""
    if isinstance(level, int):
        return level
    text = level.strip().upper()
    if text.isdigit():
        return int(text)
    if text not in LEVELS:
        raise ValueError(f"{level!r} is no log level; levels are {', '.join(LEVELS)}")
    return int(getattr(logging, text))


def has_color(stream: TextIO, wish: bool | None = None) -> bool:
    """True if lines written to `stream` should be coloured: a terminal, unless NO_COLOR or `wish` says otherwise."""
    if wish is not None:
        return wish
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def setup(
    level: str | int = logging.WARNING,
    logfile: str | None = None,
    *,
    format: str = FORMAT,
    task_format: str = TASK_FORMAT,
    datefmt: str | None = None,
    task_datefmt: str | None = None,
    color: bool | None = None,
    hijack_root: bool = True,
) -> tuple[logging.Logger, logging.Logger]:
    """Send all lines of this process to `logfile` (or stderr); gives the root logger and the task logger.

    What a library logs while a task runs tells the task too, as long as `format` is the default one. Without `hijack_root`
    handlers that the root logger has are left alone and get umbel's lines; a root logger without any is not touched either.
    """
    _per_process.clear()
    root = set_up_root(
        level, logfile, format=format, task_format=task_format, datefmt=datefmt, color=color, hijack_root=hijack_root
    )
    if hijack_root or not root.handlers:
        set_up_tasks(logfile, format=task_format, datefmt=task_datefmt, color=color)
    return root, _task_logger


def set_up_root(
    level: str | int = logging.WARNING,
    logfile: str | None = None,
    *,
    format: str = FORMAT,
    task_format: str = TASK_FORMAT,
    datefmt: str | None = None,
    color: bool | None = None,
    hijack_root: bool = True,
) -> logging.Logger:
    """The first half of `setup`: all lines but those of task loggers."""
    root, top = logging.getLogger(), guise.logger("umbel")
    target = root if hijack_root else top
    target.setLevel(level_of(level))
    if hijack_root or not root.handlers:
        also_in_tasks = task_format if format == FORMAT else None
        use_color = is_colored(logfile, color)
        _replace(target, handler_for(logfile, LineFormatter(format, use_color, datefmt=datefmt, task_fmt=also_in_tasks)))
    if hijack_root:
        _drop_handlers(top)
    _wake_up()
    return root


def set_up_tasks(
    logfile: str | None = None, *, format: str = TASK_FORMAT, datefmt: str | None = None, color: bool | None = None
) -> logging.Logger:
    """The second half: the lines of task loggers, which go nowhere else."""
    _replace(_task_logger, handler_for(logfile, TaskFormatter(format, is_colored(logfile, color), datefmt=datefmt)))
    _task_logger.propagate = False
    return _task_logger


def is_colored(logfile: str | None, wish: bool | None = None) -> bool:
    """True if lines that go there should be coloured."""
    return logfile is None and has_color(_origin(sys.stderr), wish)


def _wake_up() -> None:
    """Let umbel's loggers speak that were there when a program's `dictConfig` silenced all that it did not name."""
    ours = tuple(guise.logger(name).name for name in ("umbel", "umbel.task", "umbel.trace", "umbel.worker", "umbel.redirected"))
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.startswith(ours) and logger.disabled:
            logger.disabled = False


def enter_child(name: str, index: int) -> None:
    """Called once in each child process: its lines bear `name`, and go to its own file if the path holds `%i` or `%I`."""
    global _process_name, _index
    _process_name, _index = name, index
    for handler, pattern in _per_process:
        # A WatchedFileHandler looks before each line whether its path is still the open file, and opens it if not.
        handler.baseFilename = file_for(pattern, index)


def file_for(pattern: str, index: int = 0) -> str:
    """The path for a process, 0 being the worker itself: `%i` is the number, `%I` the same behind a dash, or nothing for 0."""
    return os.path.abspath(pattern.replace("%I", f"-{index}" if index else "").replace("%i", str(index)))


class Redirected(io.TextIOBase):
    """Stands in for stdout or stderr: each line written becomes a line of the log.

    `fileno`, `buffer` and `encoding` are those of the stream it stands for, since libraries ask for them.
    """

    def __init__(self, origin: TextIO, level: int):
        self.origin = origin
        self._level = level
        self._logger = guise.logger("umbel.redirected")
        self._own = threading.local()

    def write(self, text: str) -> int:
        """Log what ends with this text; keep an unfinished line until the rest comes."""
        if getattr(self._own, "busy", False):  # a handler that prints would otherwise call itself for ever
            return self.origin.write(text)
        running = current_task_of()
        key = self._key(running)
        _, before, _ = unfinished.pop(key, (self, "", None))
        *lines, rest = (before + text).split("\n")
        if rest:
            unfinished[key] = (self, rest, running)
        self.say(lines)
        return len(text)

    def flush(self) -> None:
        """Log an unfinished line."""
        _, rest, _ = unfinished.pop(self._key(current_task_of()), (self, "", None))
        self.say([rest])

    def _key(self, running: tuple[str, str] | None) -> tuple[int, str | int]:
        return id(self), running[1] if running else threading.get_ident()

    def say(self, lines: Sequence[str], told_by: tuple[str, str] | None = None) -> None:
        """Log these lines, as those of a task that has ended, if one is given."""
        extra = {"task_name": told_by[0], "task_id": told_by[1]} if told_by else None
        self._own.busy = True
        try:
            for line in lines:
                if line.strip():
                    self._logger.log(self._level, "%s", line.rstrip(), extra=extra)
        finally:
            self._own.busy = False

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never: what is written ends in a log."""
        return False

    def fileno(self) -> int:
        """That of the stream it stands for."""
        return self.origin.fileno()

    def __getattr__(self, name: str) -> Any:
        """Whatever else the stream has that it stands for, such as `reconfigure` and `line_buffering`."""
        if name == "origin":  # it is not set yet, or was not copied
            raise AttributeError(name)
        return getattr(self.origin, name)

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as below
        """That of the stream it stands for."""
        return self.origin.errors

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in typeshed, a property in CPython
        """That of the stream it stands for."""
        return self.origin.encoding

    @property
    def buffer(self) -> object:
        """That of the stream it stands for: bytes written there pass by the log."""
        return self.origin.buffer


unfinished: dict[tuple[int, str | int], tuple[Redirected, str, tuple[str, str] | None]] = {}
"""Lines that have no end yet, by stream and task, or thread where no task runs; each with who has begun it."""


def end_lines(task_id: str | None = None) -> None:
    """Log the unfinished lines of a task that has ended, or all, so that they neither get lost nor pass for another's."""
    for key in [key for key in list(unfinished) if task_id is None or key[1] == task_id]:
        stream, rest, told_by = unfinished.pop(key)
        stream.say([rest], told_by)


def redirect(level: str | int = logging.WARNING) -> None:
    """From now on what this process and its children print goes to the log."""
    sys.stdout = Redirected(_origin(sys.stdout), level_of(level))
    sys.stderr = Redirected(_origin(sys.stderr), level_of(level))


def restore() -> None:
    """Prints are prints again."""
    end_lines()
    sys.stdout, sys.stderr = _origin(sys.stdout), _origin(sys.stderr)


def _origin(stream: TextIO) -> TextIO:
    origin: TextIO = getattr(stream, "origin", stream)
    return origin


def handler_for(logfile: str | None, formatter: logging.Formatter) -> logging.Handler:
    """What writes lines there, or to stderr."""
    made = file_handler(logfile) if logfile else logging.StreamHandler(_origin(sys.stderr))
    made.setFormatter(formatter)
    return made


def file_handler(logfile: str) -> logging.FileHandler:
    """What writes lines there, or, if the path holds `%i` or `%I`, to a file of each process."""
    from logging.handlers import WatchedFileHandler  # brings sockets and more, which a worker without a log file does not need

    handler = WatchedFileHandler(file_for(logfile, _index), encoding="utf-8")
    if "%i" in logfile or "%I" in logfile:
        _per_process.append((handler, logfile))
    return handler


def _replace(logger: logging.Logger, made: logging.Handler) -> None:
    _drop_handlers(logger)
    logger.addHandler(made)


def _drop_handlers(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        if isinstance(handler, logging.FileHandler):
            handler.close()
