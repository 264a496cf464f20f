"""SQLite's errors in umbel's words: try again, or never."""

from __future__ import annotations

import os
import sqlite3

from umbel.errors import BrokerDown, BrokerError, BrokerRefused

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

_REFUSED = {
    sqlite3.SQLITE_NOTADB: "is no SQLite database: give umbel a file of its own",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it, or move it away and let umbel make a new one",
    sqlite3.SQLITE_READONLY: "cannot be written: make the file and its directory writable, or name another file",
    sqlite3.SQLITE_PERM: "may not be used by this user: change its permissions, or name another file",
    sqlite3.SQLITE_AUTH: "may not be used by this user: change its permissions, or name another file",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its directory must exist and be writable",
    sqlite3.SQLITE_TOOBIG: "does not take a message of more than a gigabyte",
}
_DOWN = {
    sqlite3.SQLITE_FULL: "is on a full disk: make room; nothing of this was written",
    sqlite3.SQLITE_IOERR: "could not be read or written: the disk may be full or broken",
    **dict.fromkeys(BUSY, "is busy: another process has been writing to it all the time"),
}


def is_busy(error: sqlite3.Error) -> bool:
    """True if waiting a moment may be all that it takes."""
    return _code(error) in BUSY


def translate(error: sqlite3.Error, path: str) -> BrokerError:
    """The same, as an error of umbel's."""
    code = _code(error)
    if code == sqlite3.SQLITE_CANTOPEN and os.access(os.path.dirname(path), os.W_OK) and not os.path.islink(path):
        return BrokerDown(f"{path} cannot be opened now: this process may have too many open files ({error})")
    if code in _REFUSED:
        return BrokerRefused(f"{path} {_REFUSED[code]} ({error})")
    if code in _DOWN:
        return BrokerDown(f"{path} {_DOWN[code]} ({error})")
    if isinstance(error, sqlite3.OperationalError):
        return BrokerDown(f"{path}: {error}")
    return BrokerRefused(f"{path}: {error}")


def _code(error: sqlite3.Error) -> int:
    """The primary error code: the lowest byte of the extended one; 0 if it comes from Python's module itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
