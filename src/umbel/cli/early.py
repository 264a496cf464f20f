"""What a program owes those who start it before it has loaded anything: open streams, and an ear for signals.

Imports next to nothing, since until it has run a process with the number 1 does not hear SIGTERM at all.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping


class Leave(BaseException):
    """Somebody wants this program to end while it has nothing to finish yet; not to be caught by what it imports."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted
        return "/"


folder = _folder()
"""Where this program was started, whatever `--workdir` says."""
STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
asked: list[signal.Signals] = []
"""Signals that came before there was anybody to answer them."""


def open_streams() -> None:
    """Give this process the three streams that it was started without (`>&-`), or its next file would pass for one."""
    for number, mode in enumerate("rww"):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        name = ("stdin", "stdout", "stderr")[number]
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115 - for good


class Undisturbed:
    """Loads what stays without the collector, which would look at it again and again: a tenth of the time that loading takes."""

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_enabled:
            gc.freeze()
            gc.enable()


def end_soon() -> None:
    """Keep the collector from looking at all that is loaded once more at the end: a tenth of a short command's time."""
    gc.freeze()


def listen(codes: Mapping[signal.Signals, int] = {signal.SIGTERM: 128 + signal.SIGTERM}) -> None:
    """From now on these signals end this program, wherever it is, with these codes; Ctrl-C does in any case.

    Also if it was started to ignore them: so a script's shell starts what it leaves in the background. `nohup` ignores SIGHUP.
    """

    def leave(number: int, frame: object) -> None:
        asked.append(signal.Signals(number))
        raise Leave(codes[asked[-1]])

    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in codes:
        signal.signal(number, leave)


def answer() -> None:
    """Leave now if that was asked for, and what was raised then has been caught by what this program imports."""
    for number in asked:
        handler = signal.getsignal(number)
        if number in STOPS and callable(handler):
            handler(number, None)


def remember(*numbers: signal.Signals) -> None:
    """Only note these in `asked`, until somebody answers them; not those that this process was started to ignore."""
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda which, _: asked.append(signal.Signals(which)))
