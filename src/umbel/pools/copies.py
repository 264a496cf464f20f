"""A task may fork the process that it runs in. The copy is the task's own: it must not work on as if it were the original."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that tell a program to stop."""

_ours: list[Callable[[], None]] = []
_OURS = ("umbel.", "asyncio.")


def on_copy(let_go: Callable[[], None]) -> None:
    """Call this in each process that is forked from this one."""
    _ours.append(let_go)


def forget(let_go: Callable[[], None]) -> None:
    """Not any more; twice is fine."""
    with contextlib.suppress(ValueError):
        _ours.remove(let_go)


def leave() -> NoReturn:
    """End a copy that has come to the end of the task that made it."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def default_signals() -> None:
    """Undo what umbel does about signals, so that a copy can be told to end as any other program; what a task has set stays."""
    signal.set_wakeup_fd(-1)
    for number in (*STOPS, signal.SIGUSR1):
        handler = signal.getsignal(number)
        if callable(handler) and (getattr(handler, "__module__", None) or "").startswith(_OURS):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


class _Mask(threading.local):
    before: set[signal.Signals] | None = None


_mask = _Mask()


def _before() -> None:
    """Hold signals back, so that none comes to the copy before they mean there what they should."""
    if _ours:
        _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # type: ignore[assignment]  # those without a name


def _after() -> None:
    if _mask.before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)
        _mask.before = None


def _copied() -> None:
    mine = list(_ours)
    _ours.clear()
    try:
        if mine:
            default_signals()
        for let_go in mine:
            let_go()
    finally:
        _after()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_copied)
