"""From a host's name to a connected socket, in time.

The system's resolver has a patience of its own, and cannot be told another: so a thread asks it, and whoever waits may leave.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

from umbel import clock

Address = tuple[Any, ...]
"""What `getaddrinfo` gives."""


class Lookup(threading.Thread):
    """Asks for the addresses of one host. Who waits may leave before it ends, and who comes meanwhile waits for the same."""

    def __init__(self, host: str, port: int):
        super().__init__(name=f"umbel-lookup-{host}", daemon=True)
        self._place = host, port
        self._found: Sequence[Address] | OSError | None = None

    def run(self) -> None:
        try:
            self._found = _ask(*self._place)
        except OSError as error:
            self._found = error

    def within(self, seconds: float) -> Sequence[Address]:
        """The addresses; OSError if there are none, or none in time."""
        self.join(max(seconds, 0.0))
        found = self._found
        if found is None:
            raise OSError(f"looking up the name {self._place[0]!r} takes too long")
        if isinstance(found, OSError):
            raise found
        return found


_under_way: dict[tuple[str, int], Lookup] = {}
"""Two threads may start the same lookup at the same time: that does no harm."""


def addresses(host: str, port: int, end: float) -> Sequence[Address]:
    """Where the host is; OSError if that is not known by `end` (monotonic)."""
    with contextlib.suppress(socket.gaierror):  # then it is a name
        return _ask(host, port, socket.AI_NUMERICHOST)
    lookup = _under_way.get((host, port))
    if lookup is None or not lookup.is_alive():  # it is over, or was a thread of the process that we were forked from
        lookup = Lookup(host, port)
        lookup.start()
        _under_way[host, port] = lookup
    return lookup.within(end - clock.monotonic())


def _ask(host: str, port: int, flags: int = 0) -> Sequence[Address]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:
        raise OSError(f"{host!r} cannot be the name of a host: {error}") from error


def connected(host: str, port: int, end: float, patience: float) -> socket.socket:
    """A socket to the first of the host's addresses that lets us in; OSError if none does by `end` (monotonic).

    Connecting takes `patience` seconds at most, and leaves half of the time to whatever is to be said then.
    """
    found = addresses(host, port, end)
    share = max(min(patience, (end - clock.monotonic()) / 2) / len(found), 0.001)
    trouble = OSError("it has no address")
    for address in found:
        try:
            return _connected(address, share, end)
        except OSError as error:
            trouble = error
    raise trouble


def _connected(found: Address, seconds: float, end: float) -> socket.socket:
    family, kind, protocol, _, address = found
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(seconds)
        sock.connect(address)
        sock.settimeout(max(end - clock.monotonic(), 0.001))
    except BaseException:
        sock.close()
        raise
    return sock
