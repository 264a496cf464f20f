"""Runs in an environment: loads what its programs load from others, then forks a process for each program that it is asked for.

    python forking.py FD MODULE...

FD is a socket that listens. Who connects and says HOLD wants it to stay; it ends when all of them have gone. Who says START sends
three files and the length of an order, then the order as JSON; the process says its id, and this one how it ended once it has.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pwd
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import time
import types
from importlib.machinery import PathFinder

HOLD, START = b"h", b"s"
LENGTH = struct.Struct("<I")
NUMBER = struct.Struct("<i")
NOBODY = 60.0
"""Seconds after which it ends if nobody has come."""
PATH = sys.path[1:]


def is_of_others(name):
    """True if that is there, and installed: what is loaded from a checkout is what is tested, so each program does it itself."""
    found = PathFinder.find_spec(name.partition(".")[0])
    return found is not None and bool(found.origin) and found.origin.startswith(sys.prefix)


def load(names):
    """Load these, as far as they are there."""
    gc.disable()
    for name in names:
        if is_of_others(name):
            with contextlib.suppress(Exception):  # what it needs itself is not there
                importlib.import_module(name)
    gc.freeze()
    gc.enable()


class Server:
    """Forks a process for each order."""

    def __init__(self, listener):
        self._listener = listener
        self._ended, self._bell = socket.socketpair()
        self._holders = set()
        self._children = {}
        self._was_held = False

    def serve(self):
        """Give the order and its files in each process that is forked; None here, once nobody holds it."""
        self._bell.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno())
        while self._holders or not self._was_held:
            ready, _, _ = select.select([self._listener, self._ended, *self._holders], [], [], None if self._was_held else NOBODY)
            if not ready:
                break
            for each in ready:
                if each is self._ended:
                    self._ended.recv(1 << 10)
                    self._tell()
                elif each is not self._listener:
                    self._holders.discard(each)
                    each.close()
                elif order := self._accept():
                    return order
        return None

    def close(self):
        """Let nobody come any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._listener.getsockname())

    def _accept(self):
        """An order with its files, in the process that is to do it."""
        connection, _ = self._listener.accept()
        try:
            said, files, _, _ = socket.recv_fds(connection, 1, 3)
            if said == HOLD:
                self._was_held = True
                self._holders.add(connection)
                return None
            with connection.makefile("rb") as stream:
                order = json.loads(stream.read(*LENGTH.unpack(stream.read(LENGTH.size))))
        except (OSError, ValueError, struct.error):  # it has gone away
            connection.close()
            return None
        pid = os.fork()
        if not pid:
            if order["session"]:
                os.setsid()
            self._say(connection, os.getpid())  # now: who knows it may send a signal to all of its session
            self._forget(connection)
            return order, files
        for file in files:
            os.close(file)
        self._children[pid] = connection
        return None

    def _forget(self, connection):
        """A child has nothing of all this."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (connection, self._listener, self._ended, self._bell, *self._holders, *self._children.values()):
            each.close()

    def _tell(self):
        """Tell how those ended that have."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                connection = self._children.pop(pid)
                self._say(connection, os.waitstatus_to_exitcode(status))
                connection.close()

    def _say(self, connection, number):
        with contextlib.suppress(OSError):
            connection.sendall(NUMBER.pack(number))


def become(order, files):
    """Be the process that was asked for, but for what it is to run."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if order["user"]:
        os.setuid(pwd.getpwnam(order["user"]).pw_uid)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        raw = io.FileIO(number, "w", closefd=False)
        unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
        made = io.TextIOWrapper(
            raw if unbuffered else io.BufferedWriter(raw),
            errors=errors, newline="\n", line_buffering=number == 2 or raw.isatty(), write_through=unbuffered,
        )  # fmt: skip
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


def run(words):
    """Run what a Python would with these words behind it."""
    first, *rest = words or [""]
    told = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    place = os.getcwd() if first == "-m" else os.path.dirname(os.path.realpath(first)) if first not in ("", "-c") else ""
    sys.path[:] = [place, *told, *PATH]
    sys.orig_argv = [sys.executable, *words]
    importlib.invalidate_caches()
    if first == "-m":
        sys.argv = rest
        if PathFinder.find_spec(rest[0].partition(".")[0]) is None:
            sys.exit(f"{sys.executable}: No module named {rest[0]}")
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    if first == "-c":
        name, code, sys.argv = "<string>", rest[0], ["-c", *rest[1:]]
    elif first:
        sys.argv = [first, *rest]
        name = os.path.abspath(first)
        with open(name, "rb") as file:
            code = file.read()
    else:
        name, code, sys.argv = "<stdin>", sys.stdin.read(), [""]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if os.path.exists(name):
        main.__file__ = name
    exec(compile(code, name, "exec", dont_inherit=True), main.__dict__)


def ended(words):
    """The status of what ran, told as by a Python; only all that was loaded is not taken down: it takes a tenth of a second."""
    code, interrupted = 0, False
    try:
        run(words)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as problem:
        trace = problem.__traceback__
        while trace and trace.tb_frame.f_code.co_filename in (__file__, runpy.__file__, "<frozen runpy>"):
            trace = trace.tb_next
        sys.excepthook(type(problem), problem.with_traceback(trace), trace)
        code, interrupted = 1, isinstance(problem, KeyboardInterrupt)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return (code or 0) & 0xFF


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # it is nobody's child
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    ordered = None
    with contextlib.suppress(KeyboardInterrupt):
        load(sys.argv[2:])
        ordered = server.serve()
    if ordered is None:
        server.close()
        os._exit(0)
    order, files = ordered
    become(order, files)
    os._exit(ended(order["words"]))
