"""The system: signals, users, files of process ids."""

from __future__ import annotations

import atexit
import errno
import grp
import math
import os
import platform as _platform
import pwd
import signal as _signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

SYSTEM = _platform.system()
IS_macOS = SYSTEM == "Darwin"
IS_WINDOWS = SYSTEM == "Windows"
EX_OK = getattr(os, "EX_OK", 0)
EX_FAILURE = 1
EX_UNAVAILABLE = getattr(os, "EX_UNAVAILABLE", 69)
EX_USAGE = getattr(os, "EX_USAGE", 64)
EX_CANTCREAT = getattr(os, "EX_CANTCREAT", 73)
DAEMON_WORKDIR = "/"
SIGNAMES = {name for name in dir(_signal) if name.startswith("SIG") and "_" not in name}
SIGMAP = {getattr(_signal, name): name for name in SIGNAMES}


class LockFailed(Exception):
    """The file of a process id is somebody else's."""


def pyimplementation() -> str:
    """What Python this is."""
    return _platform.python_implementation()


def isatty(fh: Any) -> Any:
    """True for a terminal."""
    return getattr(fh, "isatty", lambda: None)()


def signal_name(signum: int) -> str:
    """The name of a signal, without SIG."""
    return SIGMAP[signum][3:]


def get_errno_name(n: Any) -> Any:
    """The number of an error."""
    return getattr(errno, n) if isinstance(n, str) else n


@contextmanager
def ignore_errno(*errnos: Any, **kwargs: Any) -> Iterator[None]:
    """Pass over these errors of the system."""
    kinds, numbers = kwargs.get("types") or (Exception,), [get_errno_name(each) for each in errnos]
    try:
        yield
    except kinds as problem:
        if getattr(problem, "errno", None) not in numbers:
            raise


class Signals:
    """Handlers of signals by name: `signals["INT"] = handler`."""

    ignored = _signal.SIG_IGN
    default = _signal.SIG_DFL

    def arm_alarm(self, seconds: float) -> None:
        """Let SIGALRM come after that."""
        _signal.alarm(math.ceil(seconds))

    def reset_alarm(self) -> int:
        """Let it not come."""
        return _signal.alarm(0)

    def supported(self, name: str) -> bool:
        """True if there is such a signal."""
        try:
            self.signum(name)
        except AttributeError:
            return False
        return True

    def signum(self, name: Any) -> Any:
        """The number of a signal."""
        if not isinstance(name, str):
            return name
        name = name.upper()
        return getattr(_signal, name if name.startswith("SIG") else f"SIG{name}")

    def reset(self, *signal_names: str) -> None:
        """Let the system handle these."""
        self.update((name, self.default) for name in signal_names)

    def ignore(self, *names: str) -> None:
        """Pass over these."""
        self.update((name, self.ignored) for name in names)

    def __getitem__(self, name: Any) -> Any:
        return _signal.getsignal(self.signum(name))

    def __setitem__(self, name: Any, handler: Any) -> None:
        with suppress(AttributeError, ValueError):  # none of that name here, or not the main thread
            _signal.signal(self.signum(name), handler)

    def update(self, _d_: Any = None, **sigmap: Any) -> None:
        """Set several."""
        for name, handler in dict(_d_ or {}, **sigmap).items():
            self[name] = handler


signals = Signals()
get_signal, install_signal_handler = signals.signum, signals.__setitem__
reset_signal, ignore_signal = signals.reset, signals.ignore


def parse_uid(uid: Any) -> int:
    """The number of a user, given by it or by name; KeyError if there is none."""
    try:
        return int(uid)
    except ValueError:
        return pwd.getpwnam(uid).pw_uid


def parse_gid(gid: Any) -> int:
    """The number of a group, given by it or by name; KeyError if there is none."""
    try:
        return int(gid)
    except ValueError:
        return grp.getgrnam(gid).gr_gid


def setgroups(groups: Any) -> None:
    """Be in these groups."""
    os.setgroups(groups)


def initgroups(uid: int, gid: int) -> None:
    """Be in the groups of a user."""
    os.initgroups(pwd.getpwuid(uid).pw_name, gid)


def setgid(gid: Any) -> None:
    """Become a group."""
    os.setgid(parse_gid(gid))


def setuid(uid: Any) -> None:
    """Become a user."""
    os.setuid(parse_uid(uid))


def maybe_drop_privileges(uid: Any = None, gid: Any = None) -> None:
    """Become a user and a group, if they are given."""
    number = uid and parse_uid(uid)
    group = gid and parse_gid(gid)
    if number:
        group = group or pwd.getpwuid(number).pw_gid
    if group:
        setgid(group)
    if number:
        initgroups(number, group)
        setuid(number)


def get_fdmax(default: Any = None) -> Any:
    """How many files a process may open."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return default if limit == resource.RLIM_INFINITY else limit


def fd_by_path(paths: Any) -> list[int]:
    """The open files of these paths."""
    wanted = set()
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            continue
        wanted.add((found.st_ino, found.st_dev))
    found_fds = []
    for fd in range(1, min(get_fdmax(2048), 2048)):
        try:
            here = os.fstat(fd)
        except OSError:
            continue
        if (here.st_ino, here.st_dev) in wanted:
            found_fds.append(fd)
    return found_fds


def close_open_fds(keep: Any = None) -> None:
    """Close all files but these."""
    kept = sorted(fd for each in keep or () if (fd := each if isinstance(each, int) else each.fileno()) is not None and fd >= 0)
    low = 0
    for fd in [*kept, get_fdmax(2048)]:
        os.closerange(low, fd)
        low = fd + 1


class Pidfile:
    """A file that says which process has a place."""

    path: Any = None

    def __init__(self, path: str):
        self.path = os.path.abspath(path)

    def acquire(self) -> Any:
        """Write it; LockFailed if it is there."""
        try:
            self.write_pid()
        except OSError as problem:
            raise LockFailed(str(problem)) from problem
        return self

    __enter__ = acquire

    def is_locked(self) -> bool:
        """True if it is there."""
        return os.path.exists(self.path)

    def release(self, *args: Any) -> None:
        """Remove it."""
        self.remove()

    __exit__ = release

    def read_pid(self) -> int | None:
        """The process that it names; None if there is no file."""
        try:
            with open(self.path, encoding="ascii") as file:
                text = file.readline().strip()
        except FileNotFoundError:
            return None
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"the pidfile {self.path} holds {text!r}, which is no process id") from None

    def remove(self) -> None:
        """Remove it, if it is there."""
        with ignore_errno(errno.ENOENT, errno.EACCES):
            os.unlink(self.path)

    def remove_if_stale(self) -> bool:
        """Remove it if nobody has that id; True if it is gone."""
        try:
            pid = self.read_pid()
        except ValueError:
            self.remove()
            return True
        if not pid or pid == os.getpid():
            self.remove()
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            self.remove()
            return True
        except PermissionError:
            return False
        return False

    def write_pid(self) -> None:
        """Write the id of this process into a new file."""
        fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


PIDFile = Pidfile


def create_pidlock(pidfile: str) -> Pidfile:
    """Write such a file for the life of this process; ends the program if another one has it."""
    found = Pidfile(pidfile)
    if found.is_locked() and not found.remove_if_stale():
        sys.stderr.write(f"the pidfile {pidfile} belongs to the process {found.read_pid()}, which runs\n")
        raise SystemExit(EX_CANTCREAT)
    found.acquire()
    atexit.register(found.release)
    return found


def set_process_title(progname: str, info: str | None = None) -> str:
    """The title of this process; it is shown where the package setproctitle is."""
    title = f"{progname} {info}" if info else progname
    try:
        from setproctitle import setproctitle
    except ImportError:
        return title
    setproctitle(title)
    return title


def set_mp_process_title(progname: str, info: str | None = None, hostname: str | None = None) -> str:
    """The same, with the name of the process in its pool."""
    import multiprocessing

    if hostname:
        progname = f"{progname}: {hostname}"
    return set_process_title(f"{progname}:{multiprocessing.current_process().name}", info=info)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
