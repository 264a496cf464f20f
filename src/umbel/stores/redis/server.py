"""The server that a URL names: where it is, how to connect, and what is asked of it beyond that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from umbel.errors import ImproperlyConfigured
from umbel.stores.place import Place

PORT, SENTINEL_PORT, HIGHEST_PORT = 6379, 26379, 65535
TIMEOUT, CONNECT_TIMEOUT = 5.0, 2.0

_FALSE = frozenset({"0", "false", "no", "off", ""})
_CERTIFICATES = {"required": "required", "optional": "optional", "none": "none"}
_TLS = (
    *("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_ca_path", "ssl_ca_data", "ssl_min_version"),
    "ssl_ciphers",
)
_NOT_NEEDED = (
    *("ack_emulation", "client_name", "connection_errors", "fanout_patterns", "fanout_prefix", "health_check_interval"),
    *("max_connections", "polling_interval", "queue_order_strategy", "retry_on_timeout", "socket_keepalive_options"),
    *("socket_keepalive", "min_other_sentinels", "unacked_restore_limit", "result_chord_ordered", "retry_policy"),
)
"""Options of Celery's that mean nothing here: taken, so that its configurations work as they are."""


class Server(msgspec.Struct, frozen=True):
    """One Redis server, or the master that sentinels know."""

    url: str
    """Without credentials."""
    hosts: tuple[tuple[str, int], ...] = ()
    """The server; or, if `master` is set, the sentinels that know it."""
    path: str = ""
    """Of a Unix socket, instead of hosts."""
    master: str = ""
    db: int = 0
    user: str | None = None
    password: str | None = None
    sentinel: Server | None = None
    """How to connect to a sentinel; which one is filled in."""
    tls: dict[str, Any] | None = None
    timeout: float = TIMEOUT
    connect_timeout: float = CONNECT_TIMEOUT

    def __repr__(self) -> str:
        return f"Server({self.url!r})"

    def is_same(self, other: Server) -> bool:
        """True if both are one server and its same user, whatever the database: what one may write the other may, too."""
        return self._whose() == other._whose()

    def _whose(self) -> tuple[object, ...]:
        return self.hosts, self.path, self.master, self.user, self.password


def server_at(place: Place) -> Server:
    """The server that the URL and the options name; takes the options that say how to connect."""
    for name in _NOT_NEEDED:
        place.take(name, None)
    timeout = _number(place, "socket_timeout", TIMEOUT)
    is_socket = place.scheme.endswith("+socket")
    user, password = place.take("username", None), place.take("password", None)
    return Server(
        url=place.url,
        hosts=() if is_socket else _hosts(place),
        path=place.path if is_socket else "",
        master=str(place.take("master_name", "mymaster")) if place.scheme == "sentinel" else "",
        db=_db(place, "" if is_socket else place.path.strip("/")),
        user=place.user or user,
        password=place.password or password,
        sentinel=_sentinel(place, timeout),
        tls=_tls(place),
        timeout=timeout,
        connect_timeout=min(_number(place, "socket_connect_timeout", CONNECT_TIMEOUT), timeout),
    )


def _sentinel(place: Place, timeout: float) -> Server:
    """How to connect to sentinels: they have users, passwords and certificates of their own."""
    given = place.take("sentinel_kwargs", None) or {}
    if not isinstance(given, dict):
        raise ImproperlyConfigured(f"{place.url}: sentinel_kwargs is {given!r}, and should be a dict, as in {{'password': '…'}}")
    own = Place(f"{place.url}: sentinel_kwargs", "sentinel", "", "", dict(given))
    for name in (*_NOT_NEEDED, "socket_timeout", "socket_connect_timeout", "db"):
        own.take(name, None)
    found = Server(
        url=place.url,
        user=own.take("username", None),
        password=own.take("password", None),
        tls=_tls(own),
        timeout=timeout,
        connect_timeout=timeout,
    )
    own.done()
    return found


def _hosts(place: Place) -> tuple[tuple[str, int], ...]:
    if ";" in place.host and place.scheme != "sentinel":
        raise ImproperlyConfigured(
            f"{place.url}: name one server, or the sentinels that know it: sentinel://one;sentinel://two/0"
        )
    default = SENTINEL_PORT if place.scheme == "sentinel" else PORT
    return tuple(_host(place, text, default) for text in place.host.split(";"))


def _host(place: Place, text: str, default: int) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]:port`, or nothing."""
    if text.startswith("["):
        name, end, port = text[1:].partition("]")
        if not end or port[:1] not in ("", ":"):
            raise ImproperlyConfigured(f"{place.url}: an address of IPv6 stands in brackets: [::1]:6379")
        port = port.removeprefix(":")
    else:
        name, _, port = text.partition(":")
    if port and not port.isdecimal():
        raise ImproperlyConfigured(f"{place.url}: the port is {port!r}, and should be a number")
    if port and not 0 < int(port) <= HIGHEST_PORT:
        raise ImproperlyConfigured(f"{place.url}: the port is {port}, and should be from 1 to {HIGHEST_PORT}")
    return name or "localhost", int(port or default)


def _db(place: Place, path: str) -> int:
    text = str(place.take("virtual_host", None) or place.take("db", None) or path or 0).strip("/")
    if not text.isdecimal():
        raise ImproperlyConfigured(
            f"{place.url}: the database is {text!r}, and should be a number, as in redis://localhost:6379/0"
        )
    place.take("db", None)
    return int(text)


def _tls(place: Place) -> dict[str, Any] | None:
    """Settings of TLS by the names that redis-py has for them; None without TLS."""
    given = {name: value for name in _TLS if (value := place.take(name, None)) is not None}
    level = str(getattr(level := place.take("ssl_cert_reqs", "required"), "name", level)).lower().removeprefix("cert_")
    checked = truth(place.take("ssl_check_hostname", level == "required"))
    asked = truth(place.take("ssl", False))
    if level not in _CERTIFICATES:
        raise ImproperlyConfigured(f"{place.url}: ssl_cert_reqs is {level!r}, and should be required, optional or none")
    if place.scheme not in ("rediss", "valkeys") and not asked:
        return None
    return {"ssl_cert_reqs": level, "ssl_check_hostname": checked and level != "none", **given}


def truth(value: object) -> bool:
    """What an option says that is on or off; text comes from a URL."""
    return value.lower() not in _FALSE if isinstance(value, str) else bool(value)


def _number(place: Place, name: str, default: float) -> float:
    return number(place, name, default, lambda value: value > 0, "a number of seconds above 0")


def number(place: Place, name: str, default: float, fits: Callable[[float], bool], words: str) -> float:
    """The value of an option that is a number; None is as good as nothing."""
    given = place.take(name, default)
    try:
        value = default if given is None else float(given)
    except (TypeError, ValueError):
        value = float("nan")
    if not fits(value) or value == float("inf"):
        raise ImproperlyConfigured(f"{place.url}: {name} is {given!r}, and should be {words}")
    return value
