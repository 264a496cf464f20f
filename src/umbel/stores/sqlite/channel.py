"""The channel in SQLite: a table of notes, each with a number; who listens remembers the last that it has seen.

    listener   who listens to what, from which number on, and until when it counts as alive
    note       number -> what was published; some thousands are kept, so that a reader may be a little slow

Both tables are made by the first who listens. Who publishes where nobody ever has finds that out without touching the file's
pages. Listeners are woken by the file's bells, each by one of its own, so that an idle one does not look.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence

import msgspec

from umbel import clock
from umbel.errors import BrokerError
from umbel.stores import fork
from umbel.stores.channel import MOST, REPLIES, Box, Channel, Note, Subscription, fits
from umbel.stores.sqlite.file import File, Transaction, file_at
from umbel.wire.ids import new_id

KEPT, KEPT_BYTES = 10_000, 16 << 20
"""Notes, and bytes of them, that are kept for slow readers."""
ALIVE = 90.0
"""Seconds for which a listener counts as alive after it has last said so."""
RENEWAL = 30.0
"""Seconds after which it says so again."""
LOOK = 0.25
"""Seconds after which one who waits looks where the system has no bells."""
RARELY = 15.0
"""Seconds after which it looks though no bell rang: its directory may have been removed."""

_TABLES = (
    """CREATE TABLE IF NOT EXISTS listener (name TEXT PRIMARY KEY, topics TEXT NOT NULL, key TEXT, until REAL NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS note (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL,
        rest BLOB NOT NULL, size INTEGER NOT NULL)""",
)
_HAS_TABLES = "SELECT count(*) FROM sqlite_master WHERE name IN ('listener', 'note')"
_LISTENERS = "SELECT name, topics, key FROM listener WHERE until > ?"
_WRITE = "INSERT INTO note (topic, key, rest, size) VALUES (?, ?, ?, ?)"
_BEHIND = "SELECT number, topic, key, rest FROM note WHERE number > ? ORDER BY number LIMIT ?"
_LAST = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'note'"
_FIRST = "SELECT min(number) FROM note"
_JOIN = "INSERT OR REPLACE INTO listener VALUES (?, ?, ?, ?)"
_TRIM = "DELETE FROM note WHERE number <= (SELECT max(number) FROM note) - ?"
_BYTES = "SELECT total(size) FROM note"
_CLEAR = "DELETE FROM note WHERE number <= (SELECT (min(number) + max(number)) / 2 FROM note)"


class _Rest(msgspec.Struct, array_like=True, gc=False):
    """What of a note has no column of its own."""

    body: bytes
    headers: dict[str, object]
    content_type: str
    content_encoding: str
    delivery_mode: int


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Rest).decode


def _bell(name: str) -> str:
    return f"\0listener {name}"


class SqliteChannel(Channel):
    """The channel in the file at `path`, which may also be a broker's."""

    def __init__(self, path: str, *, synchronous: str = "normal", timeout: float = 30.0):
        self.url = f"sqlite:///{path}"
        self.file = file_at(path, synchronous=synchronous, timeout=timeout)
        self.file.join(self)
        self._has_tables = False
        self._inode = 0

    def publish(self, notes: Sequence[Note]) -> int:
        if not notes or not self._listeners():
            return 0
        rows = [(note.topic, note.key, rest := _packed(note), len(rest)) for note in notes]
        heard: set[str] = set()
        most = 0
        with Transaction(self.file) as connection:
            now = clock.now()
            listeners = connection.execute(_LISTENERS, (now,)).fetchall()
            for topic, key in {(note.topic, note.key): None for note in notes}:
                reached = [name for name, topics, mine in listeners if _is_for(topics, mine, topic, key)]
                most = max(most, len(reached))
                heard.update(reached)
            if heard:
                connection.executemany(_WRITE, rows)
                self._trim(connection, now)
        if heard:
            self.file.bells.ring([_bell(name) for name in heard])
        return most

    def _listeners(self) -> bool:
        """True if there may be any; asked without the lock of those who write."""
        file = self.file
        if not self._has_tables:
            self._has_tables = file.rows(_HAS_TABLES)[0][0] == 2
        if not self._has_tables:
            return False
        try:
            return bool(file.rows("SELECT EXISTS (SELECT 1 FROM listener WHERE until > ?)", (clock.now(),))[0][0])
        except BrokerError:  # the file was removed, and is a new one
            self._has_tables = file.rows(_HAS_TABLES)[0][0] == 2
            if self._has_tables:
                raise
            return False

    def _trim(self, connection: sqlite3.Connection, now: float) -> None:
        connection.execute(_TRIM, (KEPT,))
        if connection.execute(_BYTES).fetchone()[0] > KEPT_BYTES:
            connection.execute(_CLEAR)
        connection.execute("DELETE FROM listener WHERE until <= ?", (now,))

    def subscribe(self, topics: Sequence[str], *, name: str = "") -> Subscription:
        return SqliteSubscription(self.file, topics, None)

    def box(self, exchange: str = REPLIES) -> Box:
        return SqliteBox(self.file, exchange)

    def reply(self, exchange: str, address: str, notes: Sequence[Note]) -> None:
        self.publish(
            [
                Note(exchange, address, note.body, note.headers, note.content_type, note.content_encoding, note.delivery_mode)
                for note in notes
            ]
        )

    def close(self) -> None:
        self.file.leave(self)


def _packed(note: Note) -> bytes:
    return _pack(_Rest(note.body, note.headers, note.content_type, note.content_encoding, note.delivery_mode))


def _is_for(topics: str, mine: str | None, topic: str, key: str) -> bool:
    wanted = topics.split("\n")
    return (topic, key) == (wanted[0], mine) if mine is not None else fits(wanted, topic, key)


class SqliteSubscription(Subscription):
    """A row in `listener`, and the number of the last note that was seen."""

    def __init__(self, file: File, topics: Sequence[str], key: str | None):
        self._file = file
        self._topics = "\n".join(topics)
        self._key = key
        self._name = new_id()
        self._closed = False
        self._seen = 0
        self._renewal = 0.0
        self._reading = threading.Lock()
        file.join(self)
        fork.watch(self)
        self._begin()

    def _begin(self) -> None:
        """Listen from now on."""
        with Transaction(self._file) as connection:
            for table in _TABLES:
                connection.execute(table)
            self._seen = connection.execute(_LAST).fetchone()[0]
            self._register(connection)

    def _register(self, connection: sqlite3.Connection) -> None:
        connection.execute(_JOIN, (self._name, self._topics, self._key, clock.now() + ALIVE))
        self._renewal = clock.monotonic() + RENEWAL

    def receive(self, wait: float) -> list[Note]:
        until = clock.monotonic() + wait
        with self._reading:
            bells = self._file.bells
            while not self._closed:
                if clock.monotonic() >= self._renewal:
                    self._renew()
                pipes = bells.listen([_bell(self._name)])
                if found := self._look():
                    return found
                now = clock.monotonic()
                if now >= until or self._closed:
                    break
                pause = min(until, self._renewal) - now
                if pipes:
                    bells.wait(pipes, max(0.0, min(pause, RARELY)))
                else:
                    self._file.wait(None, now)
                    _rest(min(pause, LOOK))
        return []

    def _renew(self) -> None:
        try:
            with Transaction(self._file) as connection:
                self._register(connection)
        except BrokerError:
            self._begin()  # the file is a new one, and has no such table

    def _look(self) -> list[Note]:
        """What is new and for this reader."""
        found: list[Note] = []
        while not found:
            rows = self._rows()
            if not rows:
                break
            if rows[0][0] > self._seen + 1:
                self.lost += rows[0][0] - self._seen - 1  # others' notes among them: nobody knows any more
            self._seen = rows[-1][0]
            found = [_note(topic, key, rest) for _, topic, key, rest in rows if _is_for(self._topics, self._key, topic, key)]
        return found

    def _rows(self) -> list[tuple[int, str, str, bytes]]:
        try:
            return self._file.rows(_BEHIND, (self._seen, MOST))
        except BrokerError:
            self._begin()
            return []

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._file.bells.ring([_bell(self._name)])
        # If it fails: it no longer counts after a while.
        with self._reading, contextlib.suppress(BrokerError), Transaction(self._file) as connection:
            connection.execute("DELETE FROM listener WHERE name = ?", (self._name,))
        self._file.leave(self)

    def before_fork(self) -> None:
        """Nothing to make ready."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """It is the parent's."""
        self._closed = True


class SqliteBox(SqliteSubscription, Box):
    """The same for one address."""

    def __init__(self, file: File, exchange: str):
        self.exchange = exchange
        self.address = new_id()
        super().__init__(file, [exchange], self.address)


def _note(topic: str, key: str, packed: bytes) -> Note:
    rest = _unpack(packed)
    return Note(topic, key, rest.body, rest.headers, rest.content_type, rest.content_encoding, rest.delivery_mode)


def _rest(seconds: float) -> None:
    threading.Event().wait(max(seconds, 0.0))
