"""Calls what it is asked to later, or again and again."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger("celery.worker")


class Entry:
    """Something that is to be called."""

    def __init__(self, fun: Callable[..., Any], args: Any, kwargs: Any, every: float | None):
        self.fun, self.args, self.kwargs = fun, tuple(args or ()), dict(kwargs or {})
        self.every = every
        self.canceled = self.cancelled = False

    def cancel(self) -> None:
        """Do not call it any more."""
        self.canceled = self.cancelled = True

    def __call__(self) -> Any:
        return self.fun(*self.args, **self.kwargs)


class Timer:
    """Calls what it is asked to, in a thread of its own, one after the other. What they raise is logged."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def call_repeatedly(self, secs: float, fun: Any, args: Any = (), kwargs: Any = None, priority: int = 0) -> Entry:
        """Call it again and again, after each `secs` seconds, until it is cancelled."""
        return self._enter(time.monotonic() + secs, Entry(fun, args, kwargs, secs))

    def call_after(self, secs: float, fun: Any, args: Any = (), kwargs: Any = None, priority: int = 0) -> Entry:
        """Call it in `secs` seconds."""
        return self._enter(time.monotonic() + secs, Entry(fun, args, kwargs, None))

    def call_at(self, eta: Any, fun: Any, args: Any = (), kwargs: Any = None, priority: int = 0) -> Entry:
        """Call it at a moment: seconds since the epoch, or a datetime."""
        moment = eta.timestamp() if hasattr(eta, "timestamp") else float(eta)
        return self.call_after(moment - time.time(), fun, args, kwargs)

    def cancel(self, tref: Entry) -> None:
        """Do not call it any more."""
        tref.cancel()

    def clear(self) -> None:
        """Call nothing of all that."""
        with self._changed:
            self._due.clear()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def end(self) -> None:
        """The same, once a call that is under way has come to its end."""
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _enter(self, when: float, entry: Entry) -> Entry:
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), entry))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="celery-timer", daemon=True)
                self._thread.start()
        return entry

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            try:
                entry()
            except Exception:
                log.exception("What a timer called has failed: %r", entry.fun)
            if entry.every is not None and not entry.canceled:
                self._enter(time.monotonic() + entry.every, entry)

    def _next(self) -> Entry | None:
        with self._changed:
            while not self._stopped:
                if not self._due:
                    self._changed.wait()
                    continue
                when, _, entry = self._due[0]
                left = when - time.monotonic()
                if left > 0 and not entry.canceled:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._due)
                if not entry.canceled:
                    return entry
            return None
