"""One SQLite file as this process sees it: opening, transactions, waiting for a change, forks.

All brokers and backends of one process on one path share one `File`, and with it one connection behind one lock: transactions
take microseconds to milliseconds, SQLite lets one write at a time anyhow, and the threads of a process need not find that out
by colliding in the file.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet, WeakValueDictionary, finalize

import msgspec

from umbel import clock
from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores import fork
from umbel.stores.sqlite import schema
from umbel.stores.sqlite.bells import Bells
from umbel.stores.sqlite.trouble import is_busy, translate

T = TypeVar("T")

LOG_BYTES = 16 << 20
"""Size of the write-ahead log at which it is written back. Larger would wait longer and save little; 4 MB costs 20 % more."""
CACHE_KIB = 16 << 10
NEEDED = (3, 35)
"""The oldest SQLite that umbel supports."""


class Mark(NamedTuple):
    """A state of the file: who has seen this one asks to be told of the next."""

    told: int
    version: int


class File:
    """One file. Its lock guards the connection; its condition tells the threads of this process what others of them did."""

    def __init__(self, path: str, *, synchronous: str, timeout: float):
        self.path = path
        self._synchronous = synchronous
        self._timeout = timeout
        self._users: WeakSet[object] = WeakSet()
        self._connection: sqlite3.Connection | None = None
        self._closing: finalize[[sqlite3.Connection], File] | None = None
        self._inode = 0
        self._stirred = clock.monotonic()
        self._tellings = itertools.count(1)
        self._told = 0
        self._waiting = 0
        self._lock = threading.RLock()
        self._changed = threading.Condition(threading.Lock())
        self.bells = Bells(path)
        fork.watch(self)

    def join(self, user: object) -> None:
        """Keep the file open for `user` once it is."""
        self._users.add(user)

    def leave(self, user: object) -> None:
        """The last user closes it; a later transaction would open it again."""
        with self._lock:
            self._users.discard(user)
            if not self._users:
                self._close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """What one statement finds that only reads."""
        with self._lock:
            try:
                connection = self._connection
                if connection is None or os.stat(self.path).st_ino != self._inode:
                    connection = self._open()
                return connection.execute(sql, values).fetchall()
            except (OSError, sqlite3.Error):
                return self._patiently(lambda: self._open().execute(sql, values).fetchall())

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` finds, all as it was at one moment; it must not write, and may be called again if the file was busy."""
        with self._lock:
            return self._patiently(lambda: self._at_one_moment(work))

    def alone(self, statement: str) -> None:
        """Run a statement that is a transaction by itself; as a script, since `execute` ends a pragma after its first step."""
        with self._lock:
            self._patiently(lambda: self._open().executescript(statement))

    def wait(self, seen: Mark | None, until: float) -> Mark:
        """The state of the file, as soon as it is another than `seen` (at once if that is None), or at `until` (monotonic).

        Who looks after each `wait`, and then waits for another state than that, misses nothing.
        """
        while True:
            mark = Mark(self._told, self.rows("PRAGMA data_version")[0][0])
            now = clock.monotonic()
            if mark != seen:
                if seen is not None:
                    self._stirred = now
                return mark
            if now >= until:
                return mark
            # A millisecond between two looks at the file after a change, ten after ten quiet seconds.
            pause = min(until - now, max((now - self._stirred) / 1000, 0.001), 0.010)
            with self._changed:
                self._waiting += 1
                try:
                    if self._told == mark.told:  # asked after `_waiting` is raised: who tells does it in the other order
                        self._changed.wait(pause)
                finally:
                    self._waiting -= 1

    def rouse(self) -> None:
        """Wake the threads of this process that wait for a change."""
        with self._changed:
            self._told = next(self._tellings)
            self._changed.notify_all()

    def _begin_again(self, error: BaseException, seconds: float) -> sqlite3.Connection:
        """Begin though the file was busy, or is gone; the lock is let go if that is in vain."""
        try:
            if not isinstance(error, OSError | sqlite3.Error):
                self._undo(error)
                raise error
            return self._patiently(self._begin, seconds)
        except BaseException:
            self._lock.release()
            raise

    def _begin(self) -> sqlite3.Connection:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def _undo(self, error: BaseException) -> None:
        """Roll back; an error of SQLite's is raised in umbel's words."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise translate(error, self.path) from error

    def _at_one_moment(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Each statement by itself would see what others have changed since the last: a message that moves, nowhere or twice."""
        connection = self._open()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            if connection.in_transaction:  # after some errors SQLite has ended it
                connection.execute("ROLLBACK")

    def _patiently(self, work: Callable[[], T], seconds: float | None = None) -> T:
        """What `work` gives, tried again while the file is busy: soon at first, since most transactions are short."""
        pause, end = 0.0002, clock.monotonic() + (self._timeout if seconds is None else seconds)
        while True:
            try:
                return work()
            except sqlite3.Error as error:
                if not is_busy(error) or clock.monotonic() >= end:
                    raise translate(error, self.path) from error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)

    def _open(self) -> sqlite3.Connection:
        """The connection; a new one if the file is no longer the one that was opened."""
        if self._connection is not None:
            if self._found() == self._inode:
                return self._connection
            self._close()
        connection = self._connect()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._inode = connection, self._found()
        # By a weak reference: among what a cycle holds, the collector may ask the connection before `__del__` if it is closed.
        self._closing = finalize(self, _shut, connection)
        self._closing.atexit = False
        return connection

    def _found(self) -> int:
        try:
            return os.stat(self.path).st_ino
        except OSError:
            return 0

    def _connect(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < NEEDED:
            raise BrokerRefused(f"umbel needs SQLite 3.35 or newer, and this Python has {sqlite3.sqlite_version}")
        if os.path.isdir(self.path):
            raise BrokerRefused(f"{self.path} is a directory: name a file in it")
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise BrokerRefused(f"{self.path} is no plain file but a device, pipe or socket: name another file")
        if not os.path.isdir(os.path.dirname(self.path)):
            raise BrokerRefused(f"the directory of {self.path} does not exist: make it, or name another file")
        return sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if not schema.check(connection, self.path):
            schema.create(connection, self.path)
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":
            raise BrokerRefused(
                f"{self.path} is where SQLite cannot keep a write-ahead log (a network file system?): use a local disk"
            )
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // schema.PAGE_BYTES}")
        connection.execute(f"PRAGMA journal_size_limit = {4 * LOG_BYTES}")
        connection.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = FAST")  # Debian's SQLite writes zeros over each page that comes free

    def _close(self) -> None:
        connection = self._let_go()
        if connection is not None:
            _shut(connection)

    def _let_go(self) -> sqlite3.Connection | None:
        """The connection, which is no longer this one's to close."""
        connection, self._connection = self._connection, None
        if self._closing is not None:
            self._closing.detach()
        return connection

    def before_fork(self) -> None:
        """Close: SQLite's locks do not survive a fork, and what the child inherited of an open file would spoil its own."""
        self._lock.acquire()
        if self._connection is not None and not self._connection.in_transaction:
            self._close()

    def after_fork_in_parent(self) -> None:
        """Go on; the next transaction opens the file again."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew, with locks that no thread of the parent holds."""
        connection = self._let_go()
        if connection is not None:
            _inherited.append(connection)
        self._lock = threading.RLock()
        self._changed = threading.Condition(threading.Lock())
        self._waiting = 0

    def __del__(self) -> None:
        self._close()


class Transaction(msgspec.Struct, gc=False):
    """One transaction that writes: what is done until the end of the `with` is done whole, or not at all.

    Made for one `with`, by a C constructor; it does by itself what it does each time, so that the hot path enters two functions.
    """

    file: File
    within: float | None = None
    """Seconds until it has begun; those of the file if they are fewer, or none are given."""

    def __enter__(self) -> sqlite3.Connection:
        file, within = self.file, self.within
        seconds = file._timeout if within is None else min(within, file._timeout)
        if not file._lock.acquire(timeout=seconds):
            raise BrokerDown(f"{file.path} is busy: another thread has been using it all the time")
        try:
            connection = file._connection
            if connection is None or os.stat(file.path).st_ino != file._inode:
                connection = file._open()
            connection.execute("BEGIN IMMEDIATE")
            return connection
        except BaseException as error:
            return file._begin_again(error, seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Commit, and wake the threads of this process that wait for a change; or undo it all after an error."""
        file = self.file
        try:
            if error is not None:
                file._undo(error)
                return
            assert file._connection is not None  # opened by `__enter__`, and nobody closes it without the lock
            try:
                file._connection.execute("COMMIT")
            except BaseException as failure:
                file._undo(failure)
                raise
            file._told = next(file._tellings)
            file._stirred = clock.monotonic()
        finally:
            file._lock.release()
        if file._waiting:
            with file._changed:
                file._changed.notify_all()


def _shut(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        connection.close()


_inherited: list[sqlite3.Connection] = []
"""Connections of a parent that forked without telling; to close one here would take away the locks of this process."""

_files: WeakValueDictionary[tuple[str, str, float], File] = WeakValueDictionary()
_files_lock = threading.Lock()


def file_at(path: str, *, synchronous: str = "normal", timeout: float = 30.0) -> File:
    """The one `File` of this process for that path and those options; nothing is opened yet."""
    key = (os.path.realpath(path), synchronous, timeout)
    with _files_lock:
        file = _files.get(key)
        if file is None:
            file = _files[key] = File(key[0], synchronous=synchronous, timeout=timeout)
        return file
