"""Async tasks on an event loop: limits that raise inside the coroutine, and a loop of their own where none runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from umbel.errors import SoftTimeLimitExceeded
from umbel.execution.einfo import OWN_CODE
from umbel.execution.limits import Overrun

T = TypeVar("T")

GRACE = 1.0
"""Seconds that a coroutine has to end after its cancellation, before it is left to itself."""
SOFT = "soft"
"""Message of an `asyncio.Task.cancel` that means: raise SoftTimeLimitExceeded inside."""


class SoftCancelled(SoftTimeLimitExceeded, asyncio.CancelledError):
    """The soft limit as coroutines meet it.

    Also a CancelledError, so that what cleans up after cancellation (task groups, timeouts) does so; user code that
    expects SoftTimeLimitExceeded, or any Exception, catches it as such.
    """


class Driven:
    """An awaitable that steps a coroutine, and puts the soft limit in the place of the cancellation that carries it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], soft: float | None):
        self._coroutine = coroutine
        self._soft = soft

    def __await__(self) -> Generator[Any, Any, Any]:
        if self._soft is None:
            return (yield from self._steps())
        task = asyncio.current_task()
        assert task is not None
        timer = asyncio.get_running_loop().call_later(self._soft, task.cancel, SOFT)
        try:
            return (yield from self._steps())
        finally:
            timer.cancel()

    def _steps(self) -> Generator[Any, Any, Any]:
        coroutine = self._coroutine
        thrown: BaseException | None = None
        while True:
            try:
                waited = coroutine.send(None) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            thrown = None
            try:
                yield waited
            except asyncio.CancelledError as error:
                thrown = _soft_of(error)
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:  # what is waited for failed: the coroutine's affair
                thrown = error


def _soft_of(error: asyncio.CancelledError) -> BaseException:
    """The soft limit if that is what `error` says, else `error`."""
    if SOFT not in error.args:
        return error
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()  # answered: timeouts and task groups further out must not take it for a cancellation of theirs
    return SoftCancelled()


async def run(coroutine: Coroutine[Any, Any, T], *, soft: float | None, hard: float | None) -> T:
    """What the coroutine returns.

    Past the hard limit it is cancelled, left to itself if it has not ended a second later, and Overrun is raised.
    """
    driven = Driven(coroutine, soft)
    if hard is None:
        value: T = await driven
        return value
    inner: asyncio.Future[T] = asyncio.ensure_future(_wait_for(driven))
    try:
        done, _ = await asyncio.wait({inner}, timeout=hard)
    except asyncio.CancelledError as error:
        done = await _passed_on(inner, error)
        if not done:
            raise
    if done:
        return await inner
    await _ended(inner)
    raise Overrun


async def _wait_for(driven: Driven) -> Any:
    return await driven


async def _passed_on(inner: asyncio.Future[Any], error: asyncio.CancelledError) -> set[asyncio.Future[Any]]:
    """Hand a cancellation from outside to the coroutine; the future, if that ended for it."""
    task = asyncio.current_task()
    assert task is not None
    if SOFT in error.args:
        task.uncancel()
        inner.cancel(SOFT)
        done, _ = await asyncio.wait({inner})
        return done
    await _ended(inner)
    return set()


async def _ended(inner: asyncio.Future[Any]) -> None:
    inner.cancel()
    inner.add_done_callback(_forget)
    await asyncio.wait({inner}, timeout=GRACE)


def _forget(inner: asyncio.Future[Any]) -> None:
    """Look at the error of what was left to itself, so that asyncio does not complain that nobody did."""
    if not inner.cancelled():
        inner.exception()


def is_cancelled() -> bool:
    """True if someone outside wants the asyncio task that runs here to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def alone(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it to its end here, on a loop of its own; in a thread of its own where a loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    context = copy_context()
    with ThreadPoolExecutor(1, "umbel-alone") as thread:
        return thread.submit(lambda: context.run(asyncio.run, main())).result()


OWN_CODE.update(function.__code__ for function in (run, _wait_for, Driven.__await__, Driven._steps))
