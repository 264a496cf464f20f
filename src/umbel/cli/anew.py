"""A program that begins anew: the same process, the same arguments, the code as it is on the disk by then."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys

from umbel.cli import early
from umbel.cli.daemon import Pidfile

_MARK = "_UMBEL_ANEW"
"""The environment variable in which a process tells itself, by its pid, that it has begun before."""


class Anew:
    """Made at the beginning of a program, so that what it does at the end comes after all else that is to be done there."""

    def __init__(self) -> None:
        self.is_second = os.environ.pop(_MARK, None) == str(os.getpid())
        """True if this process has begun before: it is in the background already, if it was to go there."""
        self._owner = 0
        atexit.register(self._begin)

    def arm(self, *, keeping: Pidfile | None) -> None:
        """Begin anew at the end of this program; the pidfile goes with the process."""
        self._owner = os.getpid()
        if keeping is not None:
            atexit.unregister(keeping.drop)

    def _begin(self) -> None:
        if self._owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            os.chdir(early.folder)
        os.environ[_MARK] = str(os.getpid())
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
