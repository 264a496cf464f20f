"""SQLite's errors in umbel's words: try again, or never."""

from __future__ import annotations

import errno
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
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and (obstacle := _obstacle(path)):
        return BrokerRefused(f"{obstacle} ({error})")
    if code == sqlite3.SQLITE_CANTOPEN:
        return BrokerDown(f"{path} cannot be opened now: this process may have too many open files ({error})")
    if code in _REFUSED:
        return BrokerRefused(f"{path} {_REFUSED[code]} ({error})")
    if code in _DOWN:
        return BrokerDown(f"{path} {_DOWN[code]} ({error})")
    if isinstance(error, sqlite3.OperationalError):
        return BrokerDown(f"{path}: {error}")
    return BrokerRefused(f"{path}: {error}")


def _obstacle(path: str) -> str | None:
    """What keeps this process from opening the file, today and tomorrow; None if that may be over soon."""
    for each in (path, f"{path}-wal", f"{path}-shm"):
        try:
            found = os.stat(each).st_ino
            if not os.access(each, os.R_OK | os.W_OK) and os.stat(each).st_ino == found:
                return f"{each} cannot be used: this user may not read and write it"
        except FileNotFoundError:  # others make and remove those beside it
            continue
        except OSError as problem:
            return f"{each} cannot be opened: {problem.strerror}"
    if os.path.islink(path):
        return f"{path} cannot be opened: it is a link to a file that does not exist"
    import tempfile  # few programs ever need it

    try:
        with tempfile.TemporaryFile(dir=os.path.dirname(path)):
            return None
    except OSError as problem:
        if problem.errno in _PASSING:
            return None
        return f"{path} cannot be opened: its directory must exist and be one in which this user can make files"


_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO})
"""What may end by itself."""


def _code(error: sqlite3.Error) -> int:
    """The primary error code: the lowest byte of the extended one; 0 if it comes from Python's module itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
