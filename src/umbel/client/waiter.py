"""Waits for results on behalf of asyncio: one thread for each store, however many coroutines wait."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import defaultdict
from weakref import WeakKeyDictionary

from umbel.errors import UmbelError
from umbel.stores.backend import ResultBackend
from umbel.wire.result import Result

ROUND = 0.05
"""Seconds of one wait; an id that is added meanwhile joins the next."""

Future = asyncio.Future[Result]


class Waiter:
    """Asks one store for all ids that coroutines of this process wait for. The thread ends when nobody waits."""

    def __init__(self, backend: ResultBackend):
        self._backend = backend
        self._lock = threading.Lock()
        self._open: defaultdict[str, list[Future]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self.pid = os.getpid()

    def add(self, id_: str, future: Future) -> None:
        """Give the result of `id_` to `future` as soon as it is final."""
        with self._lock:
            self._open[id_].append(future)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="umbel-results", daemon=True)
                self._thread.start()

    def drop(self, id_: str, future: Future) -> None:
        """Nobody waits for this one any more."""
        with self._lock:
            if future in self._open.get(id_, ()):
                self._open[id_].remove(future)
            if not self._open.get(id_, True):
                del self._open[id_]

    def _run(self) -> None:
        while True:
            with self._lock:
                ids = list(self._open)
                if not ids:
                    self._thread = None
                    return
            try:
                found = self._backend.wait(ids, ROUND)
            except Exception as error:
                # Whatever it is, those who wait have to hear of it: there is nobody else in this thread.
                self._fail(ids, error)
                continue
            for id_, result in found.items():
                for future in self._take(id_):
                    _tell(future, result)

    def _take(self, id_: str) -> list[Future]:
        with self._lock:
            return self._open.pop(id_, [])

    def _fail(self, ids: list[str], error: Exception) -> None:
        for id_ in ids:
            for future in self._take(id_):
                _tell(future, error)


def _tell(future: Future, news: Result | Exception) -> None:
    def set_it() -> None:
        if future.done():
            return
        if isinstance(news, Exception):
            future.set_exception(news if isinstance(news, UmbelError) else UmbelError(str(news)))
        else:
            future.set_result(news)

    try:
        future.get_loop().call_soon_threadsafe(set_it)
    except RuntimeError:  # its loop is closed: nobody waits there any more
        return


_waiters: WeakKeyDictionary[ResultBackend, Waiter] = WeakKeyDictionary()
_lock = threading.Lock()


async def wait_for(backend: ResultBackend, id_: str, timeout: float | None) -> Result | None:
    """The final result of one task; None after `timeout` seconds."""
    with _lock:
        waiter = _waiters.get(backend)
        if waiter is None or waiter.pid != os.getpid():  # a forked child has the object, but not the thread
            waiter = _waiters[backend] = Waiter(backend)
    future: Future = asyncio.get_running_loop().create_future()
    waiter.add(id_, future)
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError:
        return None
    finally:
        waiter.drop(id_, future)
