"""The way out of events: a thread of its own hands them to the channel, many at once, and nobody ever waits for it."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from umbel import guise
from umbel.errors import UmbelError
from umbel.events.event import MULTI
from umbel.stores.channel import EVENTS, Channel, Note
from umbel.stores.fork import watch
from umbel.wire import encoding
from umbel.wire.brief import told

log = guise.logger("umbel.events")

MOST = 50_000
"""Events that wait at most, some tens of megabytes; beyond them the new ones are dropped, and counted."""
TOGETHER = 200
"""Events of tasks in one message. A watcher gets that many at once; beyond, a message costs no less for each."""
AT_ONCE = 2_000
"""Waiting ones for which one exchange with the store is good."""
GATHER = 0.02
"""Seconds for which further events are waited for once there is one: then they travel together."""
OF_WORKERS = "worker."
"""How the keys of events begin that workers tell of themselves."""
PAUSE = 1.0
"""Seconds for which a store that is away is left alone."""

_encode = msgspec.json.Encoder().encode


class Waiting(msgspec.Struct, gc=False):
    """An event to be sent, or several that may travel together."""

    hostname: str
    """Who tells it."""
    event: Any
    """Its fields, with `type` among them, as anything that JSON has; of several a list, or what makes it when it is sent, and
    only if somebody listens: called with None, or with a number to see some of the first."""
    key: str
    """Its routing key; of several their group."""
    several: bool = False
    count: int = 1
    """How many events it is; of a list its length."""

    def __post_init__(self) -> None:
        if self.several and type(self.event) is list:
            self.count = len(self.event)

    def events(self, most: int | None = None) -> list[Any]:
        """Of several, all of them, or some of the first, in the same order."""
        found: list[Any] = self.event(most) if callable(self.event) else self.event[:most]
        return found


class Sender:
    """Sends events over a channel. Any thread may give it some; after a fork the child has none that wait, and begins anew."""

    def __init__(
        self, open_channel: Callable[[], Channel], *, exchange: str = EVENTS, serializer: str = "json", most: int = MOST
    ):
        """`open_channel` is called in the thread that sends, for each batch."""
        self._open = open_channel
        self._exchange = exchange
        self._serializer = serializer
        self._most = most
        self.lost = 0
        """How many events were dropped: there were too many, or the store was away."""
        self.reached = 0
        """How many listeners the last heartbeat had: some listen to workers alone, as Celery's workers do to each other."""
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._given = self._gone = 0
        self._thread: threading.Thread | None = None
        self._closing = self._sleeping = False
        self._unheard: set[str] = set()
        """Groups of which the last events have reached nobody."""

    def send(self, events: Sequence[Waiting]) -> None:
        """Send these some time soon; returns at once, whatever the store does."""
        with self._changed:
            for waiting in events:
                count = waiting.count
                if self._given - self._gone + count > self._most:
                    self.lost += count
                    continue
                self._waiting.append(waiting)
                self._given += count
            if not self._waiting:
                return
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._run, name="umbel-events", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            elif self._sleeping:
                self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was given is sent or dropped, at most so long; True if it is."""
        with self._changed:
            given = self._given
            return self._changed.wait_for(lambda: self._gone >= given, seconds)

    def close(self, seconds: float = 1.0) -> None:
        """Send what waits, within so many seconds, and end the thread; a later event begins a new one."""
        thread = self._thread
        if thread is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        thread.join(seconds)
        atexit.unregister(self.close)

    def _run(self) -> None:
        is_away = False
        while some := self._next():
            count = sum(waiting.count for waiting in some)
            try:
                self._publish(self._open(), some)
            except Exception as problem:  # whatever a store raises, nobody who works is to notice
                self.lost += count
                if not is_away:
                    ours = isinstance(problem, UmbelError)
                    log.warning("Events cannot be sent, and are dropped until they can: %s", told(problem), exc_info=not ours)
                is_away = True
                self._rest(PAUSE)
            else:
                if is_away:
                    log.warning("Events are sent again; %d were dropped", self.lost)
                is_away = False
            with self._changed:
                self._gone += count
                self._changed.notify_all()

    def _publish(self, channel: Channel, some: Sequence[Waiting]) -> None:
        """Tell of all of them; of a group to which nobody has listened, first of one event: does it reach nobody, of no other."""
        if self._unheard:
            some = self._heard(channel, some)
            if not some:
                return
        reached = channel.publish(list(self._notes(some)))
        if any(waiting.key.startswith(OF_WORKERS) for waiting in some):
            self.reached = reached
        if not reached:
            self._unheard = {waiting.key for waiting in some if waiting.several}

    def _heard(self, channel: Channel, some: Sequence[Waiting]) -> list[Waiting]:
        """Those that anybody listens to, as far as is known, less the events that were told to find out."""
        left: list[Waiting] = []
        asked: set[str] = set()
        for waiting in some:
            if waiting.several and waiting.key in self._unheard:
                if waiting.key in asked:
                    continue
                asked.add(waiting.key)
                if not channel.publish(list(self._together(waiting, waiting.events(1)[:1]))):
                    continue
                self._unheard.discard(waiting.key)
                if rest := waiting.events()[1:]:
                    left.append(Waiting(waiting.hostname, rest, waiting.key, several=True))
            else:
                left.append(waiting)
        return left

    def _next(self) -> list[Waiting]:
        """What is to be sent next, as soon as there is any; nothing at the end."""
        with self._changed:
            if not self._waiting:
                self._sleeping = True
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._sleeping = False
                if not self._closing:
                    self._changed.wait(GATHER)  # nobody wakes it, but who closes
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]
            if not some:
                self._thread = None
            return some

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)

    def _notes(self, events: Sequence[Waiting]) -> Iterator[Note]:
        """The messages: events of a group that may travel together do so, as far as one source tells them in a row."""
        gathered: list[Any] = []
        last = None
        for each in events:
            if gathered and not (last and each.several and each.hostname == last.hostname and each.key == last.key):
                yield from self._together(last, gathered)
                gathered = []
            if each.several:
                gathered += each.events()
                last = each
            else:
                yield self._note(each.hostname, each.key, each.event)
        if gathered:
            yield from self._together(last, gathered)

    def _together(self, source: Waiting | None, events: Sequence[Any]) -> Iterator[Note]:
        assert source is not None, "there are events of it"
        for start in range(0, len(events), TOGETHER):
            yield self._note(source.hostname, f"{source.key}.{MULTI}", events[start : start + TOGETHER])

    def _note(self, hostname: str, key: str, value: Any) -> Note:
        kind, codec, body = self._packed(value)
        return Note(self._exchange, key, body, {"hostname": hostname}, kind, codec)

    def _packed(self, value: Any) -> tuple[str, str, bytes]:
        if self._serializer == "json":
            try:
                return "application/json", "utf-8", _encode(value)
            except (TypeError, ValueError, RecursionError):  # Celery's JSON has more types, and texts that UTF-8 has not
                pass
        return encoding.dumps(_plain(value), self._serializer)

    # -- forks ----------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Nothing: what waits stays with the parent."""

    def after_fork_in_parent(self) -> None:
        """Nothing."""

    def after_fork_in_child(self) -> None:
        """Begin anew, with no thread and nothing that waits."""
        self._begin()
        self.lost = 0


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value
