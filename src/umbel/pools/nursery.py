"""A process that does nothing but fork children, so that they come from a process with one thread, whenever they are needed.

    pool ──fork(ticket, index, kind)──▶ nursery ──fork──▶ child
         ◀──born(ticket, pid) + the pool's ends of its line──
         ◀──died(pid, status)──────────
         ──kill(pid, signal)──▶              (only the parent of a process knows that the pid is still its own)

It dies with the process that made it, and its children die with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import select
import signal
import socket
import stat
import struct
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from umbel import guise
from umbel.pools.copies import STOPS
from umbel.pools.line import ChildEnds, PoolEnds, open_line

log = guise.logger("umbel.pools")

_FORK, _KILL, _BORN, _FAILED, _DIED, _LOAD = range(6)
_MESSAGE = struct.Struct("<Biii")
_ENDS = 5

ChildMain = Callable[[ChildEnds, int, bool], None]
"""What a new child runs: its ends, its index, True if it is for async jobs."""


Load = Callable[[Sequence[str], bool], None]
"""Imports modules of these names; if true those again that are imported already."""
MOST_LOADED = 30_000
"""Bytes of names in one request: they must fit into the socket."""


class Parent(Protocol):
    """Who is told what becomes of the children."""

    def born(self, ticket: int, pid: int, ends: PoolEnds) -> None: ...

    def unborn(self, ticket: int, error: int) -> None: ...

    def died(self, pid: int, status: int) -> None: ...

    def orphaned(self, status: int) -> None: ...


class Nursery:
    """The pool's handle on its nursery. Belongs to the event loop's thread."""

    def __init__(self, parent: Parent, main: ChildMain, load: Load | None = None):
        self.pid = 0
        self._load = load
        self._parent = parent
        self._main = main
        self._ended = asyncio.Event()
        self._ended.set()

    def start(self) -> None:
        """Fork it, also in the place of one that has ended. What exists now is shared with it and with all children."""
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        gc.freeze()  # the collector writes into what it looks at, which would unshare the pages
        worker = os.getpid()
        try:
            # The first is forked before there are other threads. For a later one it matters that none of these holds a lock that
            # a child needs: the stores are told of forks, and Python sees to its own.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self.pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if self.pid == 0:
            _become_nursery(theirs, ours, worker, self._main, self._load)
        theirs.close()
        ours.setblocking(False)
        self._control = ours
        self._ended.clear()
        self._loop.add_reader(ours, self._read)

    @property
    def lives(self) -> bool:
        """True if it has been started and has not ended."""
        return not self._ended.is_set()

    def fork(self, ticket: int, index: int, *, is_async: bool) -> None:
        """Ask for a child; `born` or `unborn` of `ticket` will be told."""
        self._send(_FORK, ticket, index, int(is_async))

    def kill(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a child, if it still is one."""
        self._send(_KILL, pid, number)

    def load(self, modules: Sequence[str], *, again: bool) -> None:
        """Let children that are forked from now on have imported these modules, with `again` anew. ValueError for too many."""
        names = " ".join(modules).encode()
        if len(names) > MOST_LOADED:
            raise ValueError(f"{len(modules)} modules are too many at once: restart the worker")
        with contextlib.suppress(OSError):
            self._control.send(_MESSAGE.pack(_LOAD, len(names), int(again), 0) + names)

    def _send(self, what: int, *numbers: int) -> None:
        # A few bytes to a process that only waits for them: a full buffer would take thousands of unread requests.
        with contextlib.suppress(OSError):
            self._control.send(_MESSAGE.pack(what, *numbers, *(0,) * (3 - len(numbers))))

    def _read(self) -> None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._control, _MESSAGE.size, _ENDS)
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            if len(data) < _MESSAGE.size:
                self._end()
                return
            what, first, second, _ = _MESSAGE.unpack(data)
            if what == _BORN:
                self._born(first, second, fds)
            elif what == _FAILED:
                self._parent.unborn(first, second)
            else:
                self._parent.died(first, second)

    def _born(self, ticket: int, pid: int, fds: list[int]) -> None:
        if len(fds) == _ENDS:
            for fd in fds:
                os.set_inheritable(fd, False)
            self._parent.born(ticket, pid, PoolEnds(*fds))
            return
        for fd in fds:  # this process may not open so many: a child that cannot be reached is none
            os.close(fd)
        self.kill(pid, signal.SIGKILL)
        self._parent.unborn(ticket, errno.EMFILE)

    def _end(self) -> None:
        self._loop.remove_reader(self._control)
        self._control.close()
        try:
            status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # somebody else has waited for it
            status = 0
        self._ended.set()
        self._parent.orphaned(status)

    async def stop(self) -> None:
        """End it, and by force what children it still has."""
        if not self._ended.is_set():
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)
            await self._ended.wait()


def describe(status: int) -> str:
    """How a process ended, for people: `signal 9 (SIGKILL)` or `exitcode 1`."""
    if status >= 0:
        return f"exitcode {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies (Linux; elsewhere the closed socket has to tell)."""
    if sys.platform == "linux":
        import ctypes  # here, because only the nursery and its children need it

        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)


def _become_nursery(control: socket.socket, other: socket.socket, worker: int, main: ChildMain, load: Load | None) -> NoReturn:
    try:
        other.close()
        signal.set_wakeup_fd(-1)  # the worker's loop must not get our signals
        _reset_signals()
        os.setsid()  # Ctrl-C in the worker's terminal is for the worker alone, not for what tasks have started
        die_with(worker)
        gc.disable()
        _stop_listening()
        import multiprocessing  # noqa: F401 - each child would load it for itself, as it has a name there

        _Nurse(control, main, load).run()
    finally:
        os._exit(0)


def _ignore(number: int, frame: object) -> None:
    """Nothing. Unlike SIG_IGN it is not inherited by programs that tasks start."""


def _reset_signals() -> None:
    """`kill` of the group, or of all that a service has, is for the worker to answer; all other handlers were the worker's own.

    What is ignored stays so (`nohup`).
    """
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in STOPS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _ignore)


def _stop_listening() -> None:
    """Let go of the worker's listening sockets, or their ports would stay taken after it ended."""
    for fd in _open_descriptors():
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
            with socket.socket(fileno=os.dup(fd)) as probe:
                listens = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens:  # replaced, not closed: the object that owns the number may close it later
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, fd, inheritable=False)
                os.close(null)


def _open_descriptors() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir("/dev/fd")]
    return []


class _Nurse:
    """What the nursery process does: fork, kill, wait, tell."""

    def __init__(self, control: socket.socket, main: ChildMain, load: Load | None):
        self._control = control
        self._load = load
        self._main = main
        self._children: set[int] = set()
        self._wake_in, self._wake_out = os.pipe()

    def run(self) -> None:
        for fd in (self._wake_in, self._wake_out):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_in, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake_in in ready:
                self._note_deaths()
            if self._control.fileno() in ready and not self._obey():
                self._end()
                return

    def _obey(self) -> bool:
        data = self._control.recv(_MESSAGE.size)
        if len(data) < _MESSAGE.size:
            return False
        what, first, second, third = _MESSAGE.unpack(data)
        if what == _FORK:
            self._fork(first, second, bool(third))
        elif what == _LOAD:
            self._import(self._control.recv(first, socket.MSG_WAITALL).decode().split(), again=bool(second))
        elif first in self._children:
            os.kill(first, second)
        return True

    def _import(self, modules: list[str], *, again: bool) -> None:
        """What fails here has not failed in the worker before: children begin with what there is."""
        try:
            if self._load is not None:
                self._load(modules, again)
        except BaseException:
            log.exception("New child processes go on without what %s should have become", ", ".join(modules))

    def _fork(self, ticket: int, index: int, is_async: bool) -> None:
        try:
            pool, child = open_line()
        except OSError as error:
            self._tell(_FAILED, ticket, error.errno or 0)
            return
        nurse = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(_FAILED, ticket, error.errno or 0)
        else:
            if pid == 0:
                self._become_child(pool, child, nurse, index, is_async)
            self._children.add(pid)
            self._tell(_BORN, ticket, pid, pool)
        pool.close()
        child.close()

    def _become_child(self, pool: PoolEnds, child: ChildEnds, nurse: int, index: int, is_async: bool) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with(nurse)
            for fd in (pool.socket, pool.tokens_out, pool.reports, pool.alarms, self._wake_in, self._wake_out):
                os.close(fd)
            self._control.close()
            gc.enable()
            self._main(child, index, is_async)
            status = 0
        except SystemExit as request:
            status = request.code if isinstance(request.code, int) else int(request.code is not None)
        finally:
            with contextlib.suppress(Exception):  # a broken pipe to a terminal that is gone
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status & 0xFF)

    def _note_deaths(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_in, 4096)
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            self._tell(_DIED, pid, os.waitstatus_to_exitcode(status))

    def _tell(self, what: int, first: int, second: int, ends: PoolEnds | None = None) -> None:
        message = _MESSAGE.pack(what, first, second, 0)
        with contextlib.suppress(OSError):  # the worker is gone, which the next read tells
            if ends is None:
                self._control.send(message)
            else:
                fds = (ends.socket, ends.tokens_in, ends.tokens_out, ends.reports, ends.alarms)
                socket.send_fds(self._control, [message], fds)

    def _end(self) -> None:
        """The worker is gone or wants no more: end what is left."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)
