"""Calls somebody once tasks have ended."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

from umbel import guise
from umbel.client.results.waiter import waiter_of

if TYPE_CHECKING:
    from umbel.wire.result import Result

R = TypeVar("R")
log = guise.logger("umbel")


def call_later(
    singles: Sequence[Any],
    result: R,
    callback: Callable[[R], object],
    on_error: Callable[[Exception], object] | None,
    *,
    weak: bool,
) -> None:
    """Call `callback(result)` once all `singles` have ended: now if they have, else in the thread that waits for them."""
    call = _held(callback, weak=weak)

    def done() -> None:
        function = call()
        try:
            if function is not None:
                function(result)
        except Exception as error:
            failed(error)

    def failed(error: Exception) -> None:
        if on_error is None:
            log.error("what was to follow on %r failed", result, exc_info=error)
        else:
            on_error(error)

    from umbel.client.results.many import by_store

    stores = by_store(singles, {})
    _Countdown(stores, done, failed).start()


class _Countdown:
    """Waits for all of these; whoever tells of the last calls `done`."""

    def __init__(self, stores: Any, done: Callable[[], None], failed: Callable[[Exception], None]):
        self._stores = stores
        self._done = done
        self._failed = failed
        self._lock = threading.Lock()
        self._open = {id_: same for _, ids in stores for id_, same in ids.items()}

    def start(self) -> None:
        if not self._open:
            self._done()
            return
        for store, ids in self._stores:
            waiter_of(store).add(list(ids), self._hear)

    def _hear(self, id_: str, news: Result | Exception) -> None:
        with self._lock:
            waiting = bool(self._open)
            same = self._open.pop(id_, ())
            if isinstance(news, Exception):
                self._open = {}
            is_last = waiting and not self._open
        if isinstance(news, Exception):
            if waiting:
                self._failed(news)
            return
        for each in same:
            each._read(news)
        if is_last:
            self._done()


def _held(callback: Callable[..., object], *, weak: bool) -> Callable[[], Callable[..., object] | None]:
    if not weak:
        return lambda: callback
    return weakref.WeakMethod(callback) if isinstance(callback, MethodType) else weakref.ref(callback)
