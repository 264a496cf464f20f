"""No test waits without an end: one that takes too long fails, and says where each of its threads stands.

The usual plugin ends a test by SIGALRM, by which umbel ends tasks at their soft limits, or by ending the whole process, which
leaves servers and workers behind. Here a signal of our own fails the test, so that its fixtures clear up, and what its processes
have said is shown. Only a test that no signal reaches is ended with its process.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from umbel.testing.waiting import patience

TIMES = 5
"""So many times as long as it would wait for one fact may each phase of a test take."""
SIGNAL = signal.SIGUSR2


class Limit:
    """A plugin: watches over the test that this process runs."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._over = threading.Event()
        self._stderr = os.dup(2)

    def pytest_sessionstart(self) -> None:
        signal.signal(SIGNAL, self._fail)
        self._end_in_time()
        threading.Thread(target=self._watch, name="limit", daemon=True).start()

    def pytest_unconfigure(self) -> None:
        self._over.set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        with self._watched():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        with self._watched():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        with self._watched():
            return (yield)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _watch(self) -> None:
        watched = told = None
        while not self._over.wait(0.5):  # tests may put something else in the place of `time.sleep`
            since = self._since
            if since is None or since != watched:
                self._end_in_time()
                watched = since
            elif since != told and time.monotonic() - since > patience(TIMES):
                told = since
                signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)
        faulthandler.cancel_dump_traceback_later()

    def _end_in_time(self) -> None:
        """Not by each phase, of which most are over sooner than the thread starts that this takes.

        Nor only when a phase begins: it may never let another thread of Python's run.
        """
        faulthandler.dump_traceback_later(3 * patience(TIMES), exit=True, file=self._stderr)

    def _fail(self, *_: object) -> NoReturn:
        with tempfile.TemporaryFile() as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            stacks = file.read().decode(errors="replace")
        pytest.fail(f"it took longer than {patience(TIMES):.0f} s; where the threads stood, this one last:\n{stacks}")
