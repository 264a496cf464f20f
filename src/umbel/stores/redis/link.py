"""Connections to one server: a few for each process, given out one by one, and every error in umbel's words.

The only file that knows redis-py. The hot path uses its connections directly: with commands packed by hiredis that takes less
than half the time of its client.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any
from weakref import finalize

import msgspec

try:
    from redis import connection as connections
    from redis import exceptions
except ImportError as missing:
    from umbel.errors import ImproperlyConfigured

    raise ImproperlyConfigured('redis:// needs the package redis: pip install "umbel[redis]"') from missing
try:
    import hiredis
except ImportError:  # redis-py does without, and so do we
    hiredis = None  # type: ignore[assignment]

from umbel import clock
from umbel.errors import BrokerDown, BrokerError, BrokerRefused
from umbel.stores import fork
from umbel.stores.redis.reach import connected
from umbel.stores.redis.script import Script
from umbel.stores.redis.server import Server
from umbel.stores.redis.trouble import refusal
from umbel.wire.host import host_name

Command = Sequence[Any]
"""Words and arguments; or a `Script` and its arguments."""

KEPT, UNUSED = 8, 60.0
"""Idle connections that are kept in any case; more only as long as all were in use at once within so many seconds."""
STALE = 1.0
"""Seconds after which an idle connection is looked at before it is used: the server may have closed it."""
LONGEST = 512 << 20
"""The server takes no string of this length or more."""
CHUNK = 1 << 18
"""Bytes that are sent at once: each gets the whole patience, so that a time-out means that nothing moved."""
GULP = 1 << 18
"""Bytes read at once, if so many have come. Between two reads a busy process may have other threads run."""
AWAKE = 100e-6
"""Seconds for which one that waits for a single short answer stays awake. A server nearby answers sooner than the system wakes a
sleeper: on an idle virtual machine sending took 120 µs with sleep, and takes 65 without."""
DOUBT, MOST_DOUBT = 0.001, 1.0
"""Seconds for which it sleeps at once after an answer that took longer, doubled each time: the server is far away, or busy."""

_pack: Callable[[tuple[Any, ...]], bytes] | None = getattr(hiredis, "pack_command", None)

_NATIVE = (exceptions.RedisError, OSError, UnicodeEncodeError)
_Connection: Any = connections.Connection  # half of redis-py has no types
_SecureConnection: Any = connections.SSLConnection
_SocketConnection: Any = connections.UnixDomainSocketConnection

_OPTIONS = {name for kind in _Connection.__mro__ for name in inspect.signature(kind).parameters}
_QUIET: dict[str, Any] = {"driver_info": None} if "driver_info" in _OPTIONS else {"lib_name": None, "lib_version": None}
"""No name of a library for the server to show: that would be two more round trips for each connection."""


class Wire:
    """One connection; belongs to whoever borrowed or opened it."""

    def __init__(self, connection: Any, url: str):
        self._connection = connection
        self._url = url
        self._used: float | None = None
        self._until: float | None = None
        self._timeout = 0.0
        self._sleeps_until = 0.0
        self._doubt = DOUBT
        self._poll: select.poll | None = None
        # By a weak reference: among what a cycle holds, the collector may ask the socket before redis-py if it is closed.
        finalize(self, connection.disconnect).atexit = False

    def open(self, *greeting: Command) -> None:
        """Connect, and say this first: who it is, and which database it wants."""
        try:
            self._connection.connect()
        except _NATIVE as error:
            raise self._translated(error) from error
        if greeting:
            try:
                self.say(*greeting)
                for command in greeting:
                    try:
                        self.hear()
                    except BrokerRefused as error:
                        if command[0] != "CLIENT" or not is_unknown(error):
                            raise
            except BrokerError:
                self.close()
                raise

    def fileno(self) -> int:
        """For `poll`."""
        number: int = self._socket().fileno()
        return number

    def _socket(self) -> Any:
        sock = self._connection._sock
        if sock is None:
            raise BrokerDown(f"{self._url}: the connection was closed")
        return sock

    def say(self, *commands: Command) -> None:
        """Send these; their replies are to be read."""
        connection = self._connection
        try:
            parts = [_pack(tuple(command)) for command in commands] if _pack else connection.pack_commands(commands)
            if len(parts) != 1 or len(parts[0]) > CHUNK:
                parts = [part for piece in parts for part in ((piece,) if len(piece) <= CHUNK else _chunks(piece))]
            for several in [parts] if self._until is None or len(parts) == 1 else ([each] for each in parts):
                self._hurry()
                connection.send_packed_command(several, check_health=False)
        except _NATIVE as error:
            raise self._translated(error) from error

    def hear(self) -> Any:
        """The next reply; an error of the server's is raised."""
        self._hurry()
        try:
            return self._connection.read_response(disable_decoding=True)
        except _NATIVE as error:
            raise self._translated(error) from error

    def stay_awake(self) -> None:
        """Wait a moment for an answer without sleeping."""
        begin = clock.monotonic()
        if begin < self._sleeps_until or not hasattr(select, "poll"):
            return
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._socket(), select.POLLIN)
        while not self._poll.poll(0):
            if clock.monotonic() - begin > AWAKE:
                self._sleeps_until = begin + self._doubt
                self._doubt = min(2 * self._doubt, MOST_DOUBT)
                return
        self._doubt = DOUBT

    def hear_all(self, count: int) -> list[Any]:
        """The next replies; an error of the server's is one of them."""
        replies: list[Any] = []
        for _ in range(count):
            try:
                replies.append(self.hear())
            except BrokerError as error:
                if not self.is_open:
                    raise
                replies.append(error)
        return replies

    def has_more(self) -> bool:
        """True if there is something to read: a reply, or the end."""
        self._timeout = 0.0  # redis-py sets it to what it thinks it was
        try:
            return bool(self._connection.can_read(0))
        except _NATIVE as error:
            raise self._translated(error) from error

    @property
    def is_open(self) -> bool:
        """False once it was closed, by either side as far as noticed."""
        return self._connection._sock is not None

    def within(self, seconds: float) -> None:
        """Let each step of what follows take so long: all that is sent at once, or one reply."""
        self._until = None
        self._timeout = max(seconds, 0.001)
        self._socket().settimeout(self._timeout)

    def until(self, end: float) -> None:
        """Let all of what follows take until `end` (monotonic) together."""
        self._until = end

    def _hurry(self) -> None:
        """Let the next step take no longer than what is left."""
        if self._until is None:
            return
        left = self._until - clock.monotonic()
        if left <= 0:
            self.close()
            raise BrokerDown(f"{self._url} does not answer in time") from TimeoutError()
        if not left * 0.98 <= self._timeout <= left * 1.02:  # to set it takes longer than to send and to read a short answer
            self._timeout = left
            self._socket().settimeout(left)

    def rest(self, timeout: float) -> None:
        """Note that it is idle from now on; each step later may take `timeout`."""
        if self._used is None or self._timeout != timeout:
            self.within(timeout)
        self._until = None
        self._used = clock.monotonic()

    def idle_for(self) -> float:
        """Seconds since it was last used."""
        return clock.monotonic() - (self._used or 0.0)

    def is_stale(self) -> bool:
        """True if the server has closed it meanwhile, as far as can be seen from here."""
        if clock.monotonic() - (self._used or 0.0) < STALE:  # `idle_for`, written out: this is asked for each command
            return False
        try:
            return self.has_more()
        except BrokerError:
            return True

    def close(self) -> None:
        """Drop the connection."""
        self._poll = None
        with contextlib.suppress(*_NATIVE):
            self._connection.disconnect()

    def _translated(self, error: Exception) -> BrokerError:
        if isinstance(error, exceptions.DataError | UnicodeEncodeError):
            return BrokerRefused(f"{self._url}: this cannot be sent: {error}")
        if isinstance(error, exceptions.AuthenticationError):
            self.close()
            return BrokerRefused(f"{self._url} does not let this user in: {error}")
        if isinstance(error, exceptions.BusyLoadingError):
            self.close()
            return BrokerDown(f"{self._url} is loading its data")
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            self.close()
            return BrokerDown(f"{self._url} cannot be reached: {str(error).rstrip('.')}")
        if isinstance(error, exceptions.ReadOnlyError) or "READONLY" in str(error):
            self.close()  # the next connection looks for the master anew
        return refusal(self._url, _code(error))


_CODES = {
    exceptions.ReadOnlyError: "READONLY",
    exceptions.NoScriptError: "NOSCRIPT",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.MovedError: "MOVED",  # before the class that it is one of
    exceptions.AskError: "ASK",
    exceptions.ClusterCrossSlotError: "CROSSSLOT",
    exceptions.MasterDownError: "MASTERDOWN",  # as above
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
}
"""redis-py takes the code off the errors that it has a class for."""


def _code(error: Exception) -> str:
    text = str(error)
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "")
    return f"{code} {text}" if code and not text.startswith(code) else text


class Link:
    """The connections of one process to one server and database. Any thread may use it."""

    def __init__(self, server: Server):
        self.server = server
        self._idle: list[Wire] = []  # the one that was used last stands last; appended and popped only: both are atomic
        fork.watch(self)

    def ask(self, *command: Any, until: float | None = None) -> Any:
        """The reply to one command; `until` as below, for one that is answered at once."""
        with self._borrowed(until) as wire:
            wire.say(command)
            if until is not None:
                wire.stay_awake()
            return wire.hear()

    def ask_all(self, commands: Sequence[Command], until: float | None = None) -> list[Any]:
        """The replies to these, all sent at once; the first error among them is raised when all have been read.

        Whatever it takes, from connecting to the last reply, is over by `until` (monotonic) if that is given.
        """
        with self._borrowed(until) as wire:
            wire.say(*[spelled(command) for command in commands])
            replies = wire.hear_all(len(commands))
            for place, reply in enumerate(replies):
                if isinstance(reply, BrokerError) and is_no_script(reply):  # nothing of it was done
                    replies[place] = run_on(wire, commands[place])
        for reply in replies:
            if isinstance(reply, BrokerError):
                raise reply
        return replies

    def run(self, command: Command) -> Any:
        """What a script gives; the command is one of `scripts.py`."""
        with self._borrowed() as wire:
            return run_on(wire, command)

    def _borrowed(self, until: float | None = None) -> _Loan:
        return _Loan(self, until)

    def _give_back(self, wire: Wire, error: BaseException | None) -> None:
        if isinstance(error, BrokerError):
            if not wire.is_open:
                self._forget()  # most likely the others are as dead
        elif error is not None:
            wire.close()  # it was left in the middle of an exchange
        if wire.is_open:
            wire.rest(self.server.timeout)
            self._idle.append(wire)
            if len(self._idle) > KEPT:
                self._close_unused()
        else:
            wire.close()

    def _close_unused(self) -> None:
        """Close the one that was used longest ago, if that is long ago: who needs one takes the last that was given back."""
        with contextlib.suppress(IndexError):  # others take them meanwhile
            if self._idle[0].idle_for() > UNUSED:
                self._idle.pop(0).close()

    def _take(self, until: float | None) -> Wire:
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                return self.open(until)
            if not wire.is_stale():
                return wire
            wire.close()

    def open(self, until: float | None = None) -> Wire:
        """A new connection, which the caller closes; it and its first exchange take until then, or the server's timeout."""
        server = self.server
        end = clock.monotonic() + server.timeout if until is None else until
        if server.master:
            server = msgspec.structs.replace(server, hosts=(self._master(end),))
        wire = _open(server, end)
        if until is None:
            wire.within(end - clock.monotonic())
        return wire

    def _master(self, end: float) -> tuple[str, int]:
        """Where the master is now: the sentinels are asked each time, one after the other, and leave time to go there."""
        server, asked = self.server, self.server.sentinel
        assert asked is not None  # comes with the master's name
        told = "none of them has heard of it"
        for number, host in enumerate(server.hosts):
            now = clock.monotonic()
            share = (end - now) / (len(server.hosts) - number + 1)
            try:
                wire = _open(msgspec.structs.replace(asked, hosts=(host,)), now + share)
                try:
                    wire.say(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", server.master))
                    found = wire.hear()
                finally:
                    wire.close()
            except BrokerError as error:
                told = str(error)
            else:
                if found:
                    return found[0].decode(), int(found[1])
        raise BrokerDown(f"{server.url}: no sentinel knows the master {server.master!r} now: {told}")

    def _forget(self) -> None:
        """Close what is idle."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def close(self) -> None:
        """Close what is idle; a later use opens anew."""
        self._forget()

    def before_fork(self) -> None:
        """Nothing to make ready."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """The connections are the parent's: redis-py closes them here without a word to the server."""
        self._idle = []


class _ToHost(_Connection):  # type: ignore[misc]  # half of redis-py has no types
    """Connects to a host by our own means, which come to their end in time."""

    reach: Callable[[], socket.socket]

    def _connect(self) -> socket.socket:
        return self.reach()


class _ToHostInTls(_SecureConnection, _ToHost):  # type: ignore[misc]  # the same
    """The same, and speaks TLS on what is connected."""


class _Loan:
    """A connection for the time of a `with`; as a class, which takes less time than a generator."""

    __slots__ = ("_link", "_until", "_wire")

    def __init__(self, link: Link, until: float | None):
        self._link = link
        self._until = until

    def __enter__(self) -> Wire:
        self._wire = wire = self._link._take(self._until)
        if self._until is not None:
            wire.until(self._until)
        return wire

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._link._give_back(self._wire, error)


def _open(server: Server, end: float) -> Wire:
    """A connection to the first of its hosts, or its socket; all that follows on it has to be over at `end`, too."""
    left = max(end - clock.monotonic(), 0.001)
    options: dict[str, Any] = {"socket_timeout": left, "protocol": 2, "socket_read_size": GULP, **_QUIET}
    if server.path:
        connecting = min(server.connect_timeout, left / 2)
        connection = _SocketConnection(path=server.path, socket_connect_timeout=connecting, **options)
    else:
        host, port = server.hosts[0]
        options |= {"host": host, "port": port}
        connection = _ToHost(**options) if server.tls is None else _ToHostInTls(**options, **server.tls)
        connection.reach = partial(connected, host, port, end, server.connect_timeout)
    wire = Wire(connection, server.url)
    wire.until(end)
    wire.open(*_greeting(server))
    return wire


def _greeting(server: Server) -> Iterator[Command]:
    """Who it is, which database it wants, and its name: as one exchange, where redis-py takes one for each."""
    if server.user:
        yield "AUTH", server.user, server.password or ""
    elif server.password:
        yield "AUTH", server.password
    if server.db:
        yield "SELECT", server.db
    yield "CLIENT", "SETNAME", f"umbel:{host_name()}:{os.getpid()}"


def run_on(wire: Wire, command: Command) -> Any:
    """What a script gives, on this connection; the server is told its text if it does not have it."""
    wire.say(("EVALSHA", command[0].digest, 0, *command[1:]))
    try:
        return wire.hear()
    except BrokerRefused as error:
        if not is_no_script(error):
            raise
    wire.say(("EVAL", command[0].text, 0, *command[1:]))  # nothing was done yet
    return wire.hear()


def spelled(command: Command) -> Command:
    """With a script called by its digest."""
    return ("EVALSHA", command[0].digest, 0, *command[1:]) if isinstance(command[0], Script) else command


def _chunks(piece: bytes) -> Iterator[memoryview]:
    view = memoryview(piece)
    return (view[start : start + CHUNK] for start in range(0, len(piece), CHUNK))


def is_unknown(error: BrokerError) -> bool:
    """True if the server, or a proxy before it, does not know the command, or does not let this user call it."""
    return isinstance(error.__cause__, exceptions.NoPermissionError) or "unknown" in str(error).lower()


def is_slow(error: BrokerError) -> bool:
    """True if the server, or the way to it, took too long."""
    return isinstance(error.__cause__, TimeoutError | exceptions.TimeoutError)


def is_no_script(error: BrokerError) -> bool:
    """True if the server does not know the script; then nothing of it was done."""
    return isinstance(error.__cause__, exceptions.NoScriptError)
