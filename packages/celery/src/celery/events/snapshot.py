"""Cameras: what workers and tasks do, seen again and again as a whole, and not event by event."""

from __future__ import annotations

import contextlib
import logging
import sys
from types import TracebackType
from typing import Any, Self

from celery import platforms
from celery._timer import Timer
from celery.app import app_or_default
from celery.utils.dispatch import Signal
from celery.utils.imports import instantiate
from celery.utils.time import rate
from umbel import clock

log = logging.getLogger("celery.events.snapshot")


class Polaroid:
    """Takes a picture of `state` every `freq` seconds: `on_shutter(state)` is yours, and nothing is taken in meanwhile.

    At most `maxrate` (`10/m`) of them are taken. `clear_after`: what has ended is forgotten after each picture.
    """

    timer: Any = None
    shutter_signal = Signal(name="shutter_signal", providing_args={"state"})
    cleanup_signal = Signal(name="cleanup_signal")
    clear_after = False
    _tref: Any = None
    _ctref: Any = None

    def __init__(
        self,
        state: Any,
        freq: float = 1.0,
        maxrate: Any = None,
        cleanup_freq: float = 3600.0,
        timer: Any = None,
        app: Any = None,
    ):
        """`timer`: anything with Celery's `call_repeatedly`; without one it has a thread of its own."""
        self.app = app_or_default(app)
        self.state = state
        self.freq = freq
        self.cleanup_freq = cleanup_freq
        self._own = None if timer or self.timer else Timer()
        self.timer = timer or self.timer or self._own
        self.maxrate = maxrate
        self._pause = 1 / found if (found := rate(maxrate)) else 0.0
        self._not_before = 0.0

    def install(self) -> None:
        """Take pictures from now on."""
        if self._own is not None:  # one that `cancel` has ended calls nothing more
            self._own = self.timer = Timer()
        self._tref = self.timer.call_repeatedly(self.freq, self.capture)
        self._ctref = self.timer.call_repeatedly(self.cleanup_freq, self.cleanup)

    def on_shutter(self, state: Any) -> Any:
        """Yours: a picture is to be taken."""

    def on_cleanup(self) -> Any:
        """Yours: what is old may go."""

    def cleanup(self) -> None:
        """Let what is old go."""
        log.debug("Cleanup: Running...")
        self.cleanup_signal.send(self.state)
        self.on_cleanup()

    def shutter(self) -> None:
        """Take a picture, unless the last one was taken just now."""
        now = clock.monotonic()
        if self._pause:
            if now < self._not_before:
                return
            self._not_before = now + self._pause
        log.debug("Shutter: %s", self.state)
        self.shutter_signal.send(self.state)
        self.on_shutter(self.state)

    def capture(self) -> None:
        """Take a picture while nothing is taken in."""
        self.state.freeze_while(self.shutter, clear_after=self.clear_after)

    def cancel(self) -> None:
        """Take a last picture, and no more."""
        if self._tref:
            self._tref()
            self._tref.cancel()
        if self._ctref:
            self._ctref.cancel()
        if self._own is not None:
            self._own.end()

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cancel()


def evcam(
    camera: Any,
    freq: float = 1.0,
    maxrate: Any = None,
    loglevel: Any = 0,
    logfile: Any = None,
    pidfile: Any = None,
    timer: Any = None,
    app: Any = None,
    **kwargs: Any,
) -> None:
    """Let a camera (a class like `Polaroid`, or its path) take pictures of what all events tell, until interrupted."""
    app = app_or_default(app)
    if pidfile:
        platforms.create_pidlock(pidfile)
    app.log.setup_logging_subsystem(loglevel, logfile)
    sys.stdout.write(f"-> evcam: Taking snapshots with {camera} (every {freq} secs.)\n")
    sys.stdout.flush()
    watch(app, camera, freq=freq, maxrate=maxrate, timer=timer)


def watch(app: Any, camera: Any, *, freq: float, maxrate: Any, timer: Any = None) -> None:
    """The same, where the log is set up."""
    state = app.events.State()
    taker = instantiate(camera, state, app=app, freq=freq, maxrate=maxrate, timer=timer)
    receiver = app.events.Receiver(app.connection_for_read(), handlers={"*": state.event})
    taker.install()
    try:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            receiver.capture(limit=None)
    finally:
        try:
            taker.cancel()
        except Exception:
            log.exception("The camera has failed at its last picture")


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
