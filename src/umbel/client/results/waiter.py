"""Waits for results on behalf of asyncio, and of callbacks: one thread for each store, however many wait."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from weakref import WeakKeyDictionary

from umbel import clock, guise
from umbel.errors import BrokerDown, UmbelError
from umbel.stores.backend import ResultBackend
from umbel.wire.result import Result

log = guise.logger("umbel")

ROUND = 0.05
"""Seconds of one wait; an id that is added meanwhile joins the next."""

CHECK = 5.0
"""Seconds after which the store is asked whether it is there, if nothing came."""
PATIENCE = 30.0
"""Seconds for which the store may be away, as for who waits without asyncio."""

News = Result | Exception
Ear = Callable[[str, News], None]
"""Is told the id of a task, and its final result or what went wrong with the waiting."""


class Waiter:
    """Asks one store for all ids that somebody of this process waits for. The thread ends when nobody does."""

    def __init__(self, backend: ResultBackend):
        self._backend = backend
        self._lock = threading.Lock()
        self._open: defaultdict[str, list[Ear]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self.pid = os.getpid()

    def add(self, ids: Sequence[str], ear: Ear) -> None:
        """Tell `ear`, in the waiter's thread, of each of these as soon as it is final."""
        with self._lock:
            for id_ in ids:
                self._open[id_].append(ear)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="umbel-results", daemon=True)
                self._thread.start()

    def drop(self, ids: Sequence[str], ear: Ear) -> None:
        """Nobody waits for these with that ear any more."""
        with self._lock:
            for id_ in ids:
                if ear in self._open.get(id_, ()):
                    self._open[id_].remove(ear)
                if not self._open.get(id_, True):
                    del self._open[id_]

    def _run(self) -> None:
        away, asked = 0.0, clock.monotonic()
        while True:
            with self._lock:
                ids = list(self._open)
                if not ids:
                    self._thread = None
                    return
            try:
                found: dict[str, Result] = self._backend.wait(ids, ROUND)
                if not found and (away or clock.monotonic() - asked > CHECK):
                    self._backend.fetch(ids[:1])  # a wait without news may have heard nothing of an outage
                    asked = clock.monotonic()
            except BrokerDown as error:
                away = away or clock.monotonic()
                if clock.monotonic() - away > PATIENCE:
                    self._tell(dict.fromkeys(ids, error))
                else:
                    time.sleep(ROUND)
                continue
            except Exception as error:
                # Whatever it is, those who wait have to hear of it: there is nobody else in this thread.
                self._tell(dict.fromkeys(ids, error if isinstance(error, UmbelError) else UmbelError(str(error))))
                continue
            away = 0.0
            self._tell(found)

    def _tell(self, news: Mapping[str, News]) -> None:
        for id_, each in news.items():
            with self._lock:
                ears = self._open.pop(id_, [])
            for ear in ears:
                try:
                    ear(id_, each)
                except Exception:  # of a callback of the user's
                    log.exception("what was to be told of task %s raised", id_)


_waiters: WeakKeyDictionary[ResultBackend, Waiter] = WeakKeyDictionary()
_lock = threading.Lock()


def waiter_of(backend: ResultBackend) -> Waiter:
    """That of this store."""
    with _lock:
        waiter = _waiters.get(backend)
        if waiter is None or waiter.pid != os.getpid():  # a forked child has the object, but not the thread
            waiter = _waiters[backend] = Waiter(backend)
        return waiter


def listen(backend: ResultBackend, ids: Sequence[str], loop: asyncio.AbstractEventLoop, ear: Ear) -> Callable[[], None]:
    """Let `ear` be told in the loop of each of these as soon as it is final; gives what ends that."""

    def tell(id_: str, news: News) -> None:
        try:
            loop.call_soon_threadsafe(ear, id_, news)
        except RuntimeError:  # the loop is closed: nobody waits there any more
            return

    waiter = waiter_of(backend)
    waiter.add(ids, tell)
    return partial(waiter.drop, ids, tell)


async def wait_for(backend: ResultBackend, id_: str, timeout: float | None) -> Result | None:
    """The final result of one task; None after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def ear(_: str, news: News) -> None:
        if future.done():
            return
        if isinstance(news, Exception):
            future.set_exception(news)
        else:
            future.set_result(news)

    stop = listen(backend, [id_], loop, ear)
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError:
        return None
    finally:
        stop()
