"""What a program in the background needs: to leave the terminal, a pidfile, another user's rights."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import sys
import time
from typing import NoReturn

from umbel.cli.failure import CANNOT_CREATE, Failure

_READY = b"\0"
"""What a new process tells once it is ready; all else are lines that say what it waits for."""
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
"""What whoever sits at the terminal ends it by."""
PATIENCE = 15.0  # seconds that the terminal waits for a worker to be ready before it leaves it to itself


class Birth:
    """The process that will run in the background, until it has said `ready`: it still speaks to the terminal."""

    def __init__(self, told: int):
        self._told = told

    def waits(self, reason: str) -> None:
        """Tell the terminal what it waits for, if anybody sits there still."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._told, f"{' '.join(reason.split())}\n".encode())

    def ready(self, logfile: str | None = None) -> None:
        """Let go of the terminal: what is still printed goes to `logfile`, or nowhere."""
        print_to(logfile)
        with contextlib.suppress(BrokenPipeError):  # it took so long that nobody waits any more
            os.write(self._told, _READY + b"\n")
        os.close(self._told)


def print_to(logfile: str | None) -> None:
    """From now on what this process prints, and what it starts, goes to `logfile`, or nowhere."""
    target = os.open(logfile or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(target, stream)
    os.close(target)


def detach(name: str, *, quiet: bool = False) -> Birth:
    """Go on in a process of its own that no terminal can end; the one that called it never returns.

    The caller's process stays until the new one is `ready` (then it tells its pid and exits 0) or has died (then it exits with
    the same code). So whatever goes wrong at the start is read in the terminal, and Ctrl-C there ends what is starting.

        terminal ── fork ── watcher (own session) ── fork ── the worker
           waits for ──────────┘ relays its stderr, waits for `ready`
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # until there is somebody whom they can be passed on to
    heard, begun = os.pipe()
    watcher = os.fork()
    if watcher:
        os.close(begun)
        os.read(heard, 1)
        _stay(name, watcher, before, quiet=quiet)
    os.close(heard)
    os.setsid()
    told, tell = os.pipe()
    said, say = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        os.close(say)
        _watch(name, child, told, said, begun, before, quiet=quiet)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(begun)
    os.close(told)
    os.close(said)
    null = os.open(os.devnull, os.O_RDWR)
    for source, stream in ((null, 0), (null, 1), (say, 2)):
        os.dup2(source, stream)
    os.close(null)
    os.close(say)
    return Birth(tell)


def _stay(name: str, watcher: int, mask: set[int], *, quiet: bool) -> NoReturn:
    """In the terminal: wait for the watcher's verdict. Who ends this ends what is starting; asking twice does not wait for it."""
    asked: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        asked.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(watcher, signal.SIGTERM if len(asked) == 1 else signal.SIGKILL)

    for number in _ENDS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    code = os.waitstatus_to_exitcode(os.waitpid(watcher, 0)[1])
    if asked:
        if not quiet:
            os.write(2, f"{name} has ended before it was ready; nothing is left in the background\n".encode())
        os._exit(128 + asked[0])
    os._exit(code)


def _watch(name: str, child: int, told: int, said: int, begun: int, mask: set[int], *, quiet: bool) -> NoReturn:
    """Repeat what the new process says until it is ready, dead (then `told` ends without that word), or takes too long."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))  # the terminal's; the child has it, too, and will end
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.write(begun, b".")
    os.close(begun)
    deadline, open_ends, words = time.monotonic() + PATIENCE, {told, said}, b""
    while told in open_ends and _READY not in words and (asked or time.monotonic() < deadline):
        left = max(deadline - time.monotonic(), 0.1)
        for end in sorted(select.select(open_ends, (), (), left)[0], key=told.__eq__):  # what was said comes first
            data = os.read(end, 65536)
            if not data:
                open_ends.discard(end)
            elif end == said:
                os.write(2, data)
            else:
                words += data
                if _READY not in data and not quiet:
                    os.write(2, f"{name}, pid {child}, waits: {data.decode().strip()}. Ctrl-C ends it\n".encode())
    if _READY in words and not asked:
        _leave(f"{name} runs in the background, pid {child}\n", quiet=quiet)
    if told in open_ends and not asked:
        reason = words.decode().strip().rpartition("\n")[2]
        waits = f"; it waits: {reason}. `kill {child}` ends it" if reason else ""
        _leave(f"{name} is still starting in the background, pid {child}{waits}\n", quiet=quiet)
    while said in select.select([said], (), (), 0)[0] and (rest := os.read(said, 65536)):
        os.write(2, rest)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def _leave(line: str, *, quiet: bool) -> NoReturn:
    if not quiet:
        os.write(1, line.encode())
    os._exit(0)


class Pidfile:
    """The one worker that may run under this path; the file holds its pid.

    Two marks, since each alone can lie: a lock, which ends with the process even if it is killed and which no child inherits,
    and the pid, which also programs that do not lock write there. A pid counts only if that process began before the file
    was written: after a reboot, or in a new container, it belongs to a stranger.
    """

    def __init__(self, path: str):
        self.path = os.path.abspath(path)
        self._file = -1
        self._owner = 0

    def take(self) -> None:
        """Write this process's pid, in place of one that has died; a `Failure` if it lives."""
        while True:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._refuse_if_taken()
            if self._is_still_there():  # else its last owner removed it between our open and our lock
                break
            os.close(self._file)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        self._owner = os.getpid()

    def drop(self) -> None:
        """Remove the file, if this process is the one that took it; twice is fine."""
        if self._owner != os.getpid():
            return
        if self._is_still_there():
            os.unlink(self.path)
        os.close(self._file)
        self._owner = 0

    def _refuse_if_taken(self) -> None:
        pid = _pid_in(self._file)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = pid is not None and pid != os.getpid() and _lives(pid, since=os.fstat(self._file).st_mtime)
        except OSError as problem:
            if problem.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            taken = True
        if taken:
            os.close(self._file)
            whose = f"process {pid}, which is running" if pid else "another process that is starting"
            raise Failure(f"pidfile {self.path} belongs to {whose}; stop it first, or give another one", CANNOT_CREATE)

    def _is_still_there(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except FileNotFoundError:
            return False


def _pid_in(file: int) -> int | None:
    text = os.pread(file, 32, 0).strip()
    return (int(text) or None) if text.isdigit() else None  # no process is 0, which would ask for our own group


def _lives(pid: int, *, since: float) -> bool:
    """True if that process runs, and has done so since before that time (as far as the system tells)."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    if _is_over(pid):
        return False
    began = _began(pid)
    return began is None or began <= since + 1.0  # the start is known to a hundredth of a second, the boot time to a second


def _is_over(pid: int) -> bool:
    """True if it has ended, and only its parent has not looked yet; in many containers nobody ever does."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def _began(pid: int) -> float | None:
    """When a process began, in seconds since the epoch; None where there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat, open("/proc/stat", "rb") as system:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
            boot = next(int(line.split()[1]) for line in system if line.startswith(b"btime"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def become(uid: str | None, gid: str | None) -> None:
    """Go on with the rights of another user and group, given by name or number. Only root may."""
    if uid is None and gid is None:
        return
    user, name, home_group = _user(uid) if uid is not None else (None, None, None)
    group = _group(gid) if gid is not None else home_group
    if os.geteuid() != 0:
        if user in (None, os.geteuid()) and group in (None, os.getegid()):
            return  # it has become that before, and begins anew
        raise Failure("--uid and --gid need root; start it as the wanted user instead")
    try:
        if group is not None:
            if name is not None:
                os.initgroups(name, group)
            else:
                os.setgroups([group])
            os.setgid(group)
        if user is not None:
            os.setuid(user)
    except OverflowError:
        raise Failure(f"there is no such user or group here (--uid {uid}, --gid {gid}): the number is too large") from None


def _user(wish: str) -> tuple[int, str | None, int]:
    import pwd

    try:
        entry = pwd.getpwuid(int(wish)) if wish.isdigit() else pwd.getpwnam(wish)
    except KeyError:
        if wish.isdigit():  # a number without a name is usual in containers
            return int(wish), None, int(wish)
        raise Failure(f"there is no user {wish!r} here (--uid)") from None
    return entry.pw_uid, entry.pw_name, entry.pw_gid


def _group(wish: str) -> int:
    import grp

    if wish.isdigit():
        return int(wish)
    try:
        return grp.getgrnam(wish).gr_gid
    except KeyError:
        raise Failure(f"there is no group {wish!r} here (--gid)") from None
