"""Soft time limits of sync tasks: an exception raised inside the task, and nowhere else.

In a process's main thread a timer signal raises it between two bytecodes (or out of a blocking system call). In other
threads `interrupt` asks the interpreter to do so, which cannot end a blocking call.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from umbel import clock
from umbel.errors import SoftTimeLimitExceeded
from umbel.execution.einfo import OWN_CODE

AGAIN = 0.001
"""Seconds after which a limit is tried once more that fired beside the task, in our own frame."""
RINGING = 0.1
"""Seconds after which an alarm rings again that nobody has heard: just before the task blocked, or in another thread."""
MOST_TRIES = 10
"""After so many tries in our own frame the task must be a C function, which has no frame of its own."""


class Overrun(Exception):
    """An async task has passed its hard limit, and was ended or left to itself."""


class CalledOff(Exception):
    """An async task was ended from outside."""


def call(entry: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], seconds: float) -> Any:
    """What `entry` returns; after `seconds`, SoftTimeLimitExceeded is raised inside it.

    Outside the main thread it is the pool that sees to the limit.
    """
    if threading.current_thread() is not threading.main_thread():
        return entry(*args, **kwargs)
    return _Limit(seconds).call(entry, args, kwargs)


def interrupt(thread_id: int, error: type[BaseException] = SoftTimeLimitExceeded) -> bool:
    """Raise `error` in that thread at its next bytecode; False if there is no such thread."""
    import ctypes  # most programs never get so far

    return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error)))


class _Calm(BaseException):
    """Comes in the place of what was asked for."""


def calm() -> None:
    """Take back what `interrupt` has asked for in this thread, if it has not come yet (or let it come now).

    Something else is asked for in its place, and comes here. With nothing in its place the interpreter would look for it at each
    call for ever, and Python 3.11 would never get beyond a call that somebody profiles.
    """
    try:
        interrupt(threading.get_ident(), _Calm)
        while True:
            pass
    except _Calm:
        return


class _Limit:
    """The limit of one call. It is live exactly while the task's code can run; afterwards a late alarm does nothing."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.live = False
        self.tries = 0

    def call(self, entry: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        before = signal.signal(signal.SIGALRM, self.ring)
        began = clock.monotonic()
        self.live = True  # before the alarm is set: on a busy machine it may ring at once
        left, interval = signal.setitimer(signal.ITIMER_REAL, max(self.seconds, AGAIN), RINGING)
        try:
            return entry(*args, **kwargs)
        finally:
            self.live = False
            self.restore(before, left and max(left - (clock.monotonic() - began), AGAIN), interval)

    def ring(self, number: int, frame: FrameType | None) -> None:
        """The alarm. In our own frame the task has not begun or is over: it is then tried again, or too late."""
        if not self.live:
            return
        if frame is not None and frame.f_code in (_Limit.call.__code__, _Limit.ring.__code__) and self.tries < MOST_TRIES:
            self.tries += 1
            signal.setitimer(signal.ITIMER_REAL, AGAIN, RINGING)
            return
        self.live = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise SoftTimeLimitExceeded

    def restore(self, before: Any, left: float, interval: float) -> None:
        """Give the alarm back to whoever had it: the task, if it took it for itself, else what was before."""
        if signal.getsignal(signal.SIGALRM) == self.ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)
            if left:
                signal.setitimer(signal.ITIMER_REAL, left, interval)
        elif signal.getitimer(signal.ITIMER_REAL)[1] == RINGING:  # the task took the signal, and has no alarm but ours
            signal.setitimer(signal.ITIMER_REAL, 0)


OWN_CODE.update(function.__code__ for function in (call, _Limit.call))
