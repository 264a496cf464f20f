"""A beat that answers `ping`, so that somebody who looks after a service sees whether it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable

from umbel import guise
from umbel.client.app import Umbel
from umbel.client.remote.answer import answer, heed_clock
from umbel.client.remote.request import read
from umbel.errors import BrokerDown, BrokerError, DecodeError, ImproperlyConfigured
from umbel.stores.channel import Note, Subscription
from umbel.wire.encoding import accept_types

log = guise.logger("umbel.beat")

WAIT = 600.0
"""Seconds for which one wait for requests lasts; none costs anything."""
PAUSE, LONG_PAUSE = 5.0, 60.0
"""Seconds until listening is tried again at a store that is away, or that refuses."""
LEAST = 60.0
"""Seconds for which a beat may do one thing, unless `beat_remote_control_max_tick_age` says otherwise."""
LAST = 3.0
"""Seconds that the end of listening may take."""


class Remote:
    """Answers in a thread of its own, from `start` to `stop`.

    It knows `ping` alone. A beat that hangs is silent, as one that is gone: any answer is taken for a sign of life.
    """

    def __init__(self, app: Umbel, node: str, age: Callable[[], float], *, max_age: Callable[[], float] | None = None):
        """`age`: the seconds for which the beat has been at what it does; after `max_age` nothing is answered."""
        self._app = app
        self.node = node
        self.age = age
        self._max_age = max_age or (lambda: app.conf.beat_remote_control_max_tick_age or LEAST)
        self.topic = f"{app.conf.control_exchange}.pidbox"
        self._accept = accept_types({*app.conf.accept_content, app.conf.task_serializer, "json"})
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._subscription: Subscription | None = None
        self._thread: threading.Thread | None = None
        self._is_away = self._has_refused = self._was_stale = False

    def start(self) -> None:
        """Answer from now on."""
        self._closing.clear()
        self._thread = threading.Thread(target=self._listen, name="umbel-beat-control", daemon=True)
        self._thread.start()

    def stop(self, patience: float = LAST) -> None:
        """Answer no more."""
        self._closing.set()
        with self._lock:
            subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
        if self._thread is not None:
            self._thread.join(patience)

    @property
    def is_stale(self) -> bool:
        """True if the beat hangs."""
        return self.age() > self._max_age()

    def answer(self, note: Note) -> None:
        """Answer a note, if it is a request for this beat that it can answer."""
        try:
            request = read(note, self._accept)
            if not request.is_for(self.node):
                return
        except DecodeError as error:
            if not self._has_refused:
                log.warning("beat: a request is refused: %s (further ones are refused silently)", error)
            self._has_refused = True
            return
        heed_clock(self._app, note)
        if request.exchange != f"reply.{self.topic}":  # nobody waits, or not where answers go
            return
        if request.method == "ping":
            if not self._hangs():
                answer(self._app, request, {self.node: {"ok": "pong"}})
        elif request.is_counted:
            answer(self._app, request, {})

    def _hangs(self) -> bool:
        is_stale = self.is_stale
        if is_stale and not self._was_stale:
            log.warning("beat: it has been at one thing for %.0f s, and answers no ping until it is done", self.age())
        self._was_stale = is_stale
        return is_stale

    # -- in the thread --------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                for note in self._heard():
                    self.answer(note)
            except ImproperlyConfigured as problem:
                log.warning("beat: it answers nobody: %s", problem)
                return
            except BrokerError as error:
                self._away(error)
                self._closing.wait(PAUSE if isinstance(error, BrokerDown) else LONG_PAUSE)
            except Exception:  # whatever somebody sends, and whatever our own code does with it
                log.exception("beat: a request could not be answered")
                self._closing.wait(PAUSE)

    def _heard(self) -> list[Note]:
        subscription = self._subscription
        if subscription is None:
            subscription = self._app.channel.subscribe([self.topic], name=f"{self.node}.{self.topic}")
            with self._lock:
                self._subscription = subscription
            if self._closing.is_set():
                subscription.close()
                return []
            log.info("beat: answers pings as %s", self.node)
        notes = subscription.receive(WAIT)
        self._is_away = False
        return notes

    def _away(self, error: BrokerError) -> None:
        if not self._is_away and not self._closing.is_set():
            log.warning("beat: it answers nobody until the store is back: %s", error)
        self._is_away = True
