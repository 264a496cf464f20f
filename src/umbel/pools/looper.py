"""A thread with an event loop for async jobs, beside the worker's own."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context

from umbel.execution.outcome import Job
from umbel.pools import copies
from umbel.pools.juggler import Juggler, Tell
from umbel.pools.pool import Runner, Stop


class Looper:
    """Runs async jobs side by side. Called from the worker's loop; the thread is made when it is first needed."""

    def __init__(self, runner: Runner, tell: Tell, name: str):
        self._runner = runner
        self._tell = tell
        around = copy_context()  # in which the worker's app is the current one
        self._thread = threading.Thread(target=around.run, args=(self._turn,), name=name, daemon=True)
        self._loop = asyncio.new_event_loop()

    def begin(self, jobs: list[Job]) -> None:
        """Run these from now on."""
        if self._thread.ident is None:
            self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, jobs)

    def cancel(self, number: int, how: Stop) -> None:
        """Ask a job to end; nothing happens if it has ended meanwhile."""
        self._loop.call_soon_threadsafe(self._cancel, number, how)

    def stop(self) -> None:
        """End the loop; what runs is cancelled."""
        if self._thread.ident is None:
            self._loop.close()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def leave(self) -> None:
        """In a copy of this process: end it instead of another turn, for the others that ran here run in the original."""
        if not self._loop.is_closed():
            self._loop.call_soon(copies.leave)

    def join(self, patience: float) -> None:
        """Wait for the thread, but not longer than this."""
        if self._thread.ident is not None:
            self._thread.join(patience)

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._juggler = Juggler(self._runner, self._tell)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._juggler.abandon())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _begin(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._juggler.begin(job)

    def _cancel(self, number: int, how: Stop) -> None:
        self._juggler.cancel(number, how)
