"""From a URL to a store: the only place that knows which technologies there are.

Other packages bring stores by entry points of the group `umbel.stores`: the name is the scheme, the value a module with one or
more of the functions `open_broker(place, lease, max_deliveries)`, `open_backend(place, expires)`, `open_schedule(place, name)`,
`open_channel(place)`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote

from umbel import shown
from umbel.errors import ImproperlyConfigured
from umbel.stores.place import Place

if TYPE_CHECKING:  # who asks workers loads no broker, nor a result backend
    from umbel.stores.backend import ResultBackend
    from umbel.stores.broker import Broker
    from umbel.stores.channel import Channel
    from umbel.stores.schedule import ScheduleStore

Opener = TypeVar("Opener")

GROUP = "umbel.stores"
"""Entry points of packages that bring a store."""
SQLITE_FORM = "write sqlite:///file.db for a file in the current directory, sqlite:////var/lib/file.db for an absolute path"
SYNCHRONOUS = ("off", "normal", "full", "extra")


def open_broker(url: str, *, lease: float = 30.0, max_deliveries: int = 5, options: Mapping[str, Any] | None = None) -> Broker:
    """The broker that `url` names; nothing is opened before it is used."""
    place = _place(url, options)
    return _find(_BROKERS, place, "broker", "open_broker")(place, lease, max_deliveries)


def open_backend(url: str, *, expires: float | None, options: Mapping[str, Any] | None = None) -> ResultBackend:
    """The result backend that `url` names; nothing is opened before it is used."""
    place = _place(url, options)
    return _find(_BACKENDS, place, "result backend", "open_backend")(place, expires)


def open_schedule(url: str, *, name: str = "", options: Mapping[str, Any] | None = None) -> ScheduleStore:
    """The schedule of that name at `url`; nothing is opened before it is used."""
    place = _place(url, options)
    return _find(_SCHEDULES, place, "schedule store", "open_schedule")(place, name)


def open_channel(url: str, *, options: Mapping[str, Any] | None = None) -> Channel:
    """The channel at `url`; nothing is opened before it is used."""
    place = _place(url, options)
    return _find(_CHANNELS, place, "channel", "open_channel")(place)


def _place(url: str, options: Mapping[str, Any] | None) -> Place:
    if "://" not in url and _brought(url) is not None:
        return Place(url, url, "", "", dict(options or {}))
    scheme = url.partition("://")[0].lower()
    if not scheme or "://" not in url or "@" in scheme:
        raise ImproperlyConfigured(f"{shown.url(url)!r} is no URL: it should begin with one of {_schemes(_BROKERS)}")
    if shown.is_doubtful(url):
        raise ImproperlyConfigured(f"{shown.url(url)}: does a password begin behind the colon, or a port? Write @ as %40 in it")
    several = url.split(";") if scheme == "sentinel" else [url]
    hosts, account, path, asked = [], "", "", ""
    for each in several:  # sentinel://one;sentinel://two/0: the last may say the rest
        _, who, rest = shown.parted(each if "://" in each else f"{scheme}://{each}")
        place, _, query = rest.partition("?")
        host, slash, behind = place.partition("/")
        hosts.append(host)
        account, path, asked = account or who, f"{slash}{behind}" or path, query or asked
    user, _, password = account.partition(":")
    found = {**dict(parse_qsl(asked, keep_blank_values=True)), **(options or {})}
    names = f"{scheme}://{';'.join(hosts)}{path}"
    seen = f"{names}?{shown.url(f'{names}?{asked}').partition('?')[2]}" if asked else names
    return Place(seen, scheme, ";".join(hosts), unquote(path), found, unquote(user) or None, unquote(password) or None)


def _schemes(known: Mapping[str, object]) -> str:
    return ", ".join(f"{scheme}://" for scheme in known)


def _find(known: Mapping[str, Opener], place: Place, what: str, opener: str) -> Opener:
    if place.scheme in known:
        return known[place.scheme]
    brought = _brought(place.scheme)
    if brought is not None:
        found: Opener | None = getattr(brought, opener, None)
        if found is None:
            raise ImproperlyConfigured(f"{brought.__name__}, which brings {place.scheme}://, has no {what}")
        return found
    import difflib  # only mistakes need it

    instead = _INSTEAD.get(place.scheme) or next(iter(difflib.get_close_matches(place.scheme, known, 1, 0.5)), "")
    hint = f" (did you mean {instead if ':' in instead else f'{instead}://'}?)" if instead else ""
    raise ImproperlyConfigured(f"umbel has no {what} for {place.scheme}://{hint}; it has {_schemes(known)}")


def _brought(scheme: str) -> Any:
    """The module that an installed package has for this scheme; None if there is none."""
    from importlib.metadata import entry_points  # a sixth of a second, for schemes that umbel does not know

    for point in entry_points(group=GROUP, name=scheme):
        try:
            return point.load()
        except (ImportError, AttributeError) as problem:
            raise ImproperlyConfigured(f"{point.value}, which brings {scheme}://, cannot be imported: {problem}") from problem
    return None


def _memory_name(place: Place) -> str:
    place.done()
    return (place.host + place.path).strip("/")


def _memory_broker(place: Place, lease: float, max_deliveries: int) -> Broker:
    from umbel.stores.memory.broker import MemoryBroker  # a store is loaded when a URL asks for it

    return MemoryBroker(_memory_name(place), lease=lease, max_deliveries=max_deliveries)


def _memory_backend(place: Place, expires: float | None) -> ResultBackend:
    from umbel.stores.memory.backend import MemoryBackend

    return MemoryBackend(_memory_name(place), expires=expires)


def _memory_schedule(place: Place, name: str) -> ScheduleStore:
    from umbel.stores.memory.schedule import MemoryScheduleStore

    return MemoryScheduleStore(_memory_name(place), name=name)


def _memory_channel(place: Place) -> Channel:
    from umbel.stores.memory.channel import MemoryChannel

    return MemoryChannel(_memory_name(place))


def _sqlite_broker(place: Place, lease: float, max_deliveries: int) -> Broker:
    from umbel.stores.sqlite.broker import SqliteBroker

    return SqliteBroker(_sqlite_path(place), lease=lease, max_deliveries=max_deliveries, **_sqlite_options(place))


def _sqlite_backend(place: Place, expires: float | None) -> ResultBackend:
    from umbel.stores.sqlite.backend import SqliteBackend

    return SqliteBackend(_sqlite_path(place), expires=expires, **_sqlite_options(place))


def _sqlite_schedule(place: Place, name: str) -> ScheduleStore:
    from umbel.stores.sqlite.schedule import SqliteScheduleStore

    return SqliteScheduleStore(_sqlite_path(place), name=name, **_sqlite_options(place))


def _sqlite_channel(place: Place) -> Channel:
    from umbel.stores.sqlite.channel import SqliteChannel

    return SqliteChannel(_sqlite_path(place), **_sqlite_options(place))


def _sqlite_path(place: Place) -> str:
    """The file, absolute, so that a later change of directory makes no difference."""
    name = place.path.removeprefix("/")
    if place.host:
        raise ImproperlyConfigured(f"{place.url}: a file is on no host; {SQLITE_FORM}")
    if not name or name.endswith("/"):
        raise ImproperlyConfigured(f"{place.url} names no file; {SQLITE_FORM}")
    if "\0" in name:
        raise ImproperlyConfigured(f"{place.url}: no file's name holds the character NUL")
    if name == ":memory:":
        raise ImproperlyConfigured(f"{place.url}: for a store in memory write memory://")
    return os.path.abspath(os.path.expanduser(name))


def _sqlite_options(place: Place) -> dict[str, Any]:
    synchronous = str(place.take("synchronous", "normal")).lower()
    if synchronous not in SYNCHRONOUS:
        raise ImproperlyConfigured(f"{place.url}: synchronous is {synchronous!r}, and should be one of {', '.join(SYNCHRONOUS)}")
    timeout = place.take("timeout", 30.0)
    try:
        seconds = float(timeout)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ImproperlyConfigured(f"{place.url}: timeout is {timeout!r}, and should be a number of seconds, 0 or more")
    place.done()
    return {"synchronous": synchronous, "timeout": seconds}


def _redis_broker(place: Place, lease: float, max_deliveries: int) -> Broker:
    from umbel.stores.redis.opening import open_broker

    return open_broker(place, lease, max_deliveries)


def _redis_backend(place: Place, expires: float | None) -> ResultBackend:
    from umbel.stores.redis.opening import open_backend

    return open_backend(place, expires)


def _redis_schedule(place: Place, name: str) -> ScheduleStore:
    from umbel.stores.redis.opening import open_schedule

    return open_schedule(place, name)


def _redis_channel(place: Place) -> Channel:
    from umbel.stores.redis.channel import open_channel

    return open_channel(place)


_REDIS = ("redis", "rediss", "redis+socket", "sentinel", "valkey", "valkeys", "valkey+socket")
_INSTEAD = {
    **dict.fromkeys(("unix", "socket", "redis+unix", "rediss+socket"), "redis+socket:///run/redis.sock"),
    **dict.fromkeys(("redis+sentinel", "redis-sentinel", "valkey+sentinel"), "sentinel://one;sentinel://two/0"),
    **dict.fromkeys(("rediss+sentinel", "sentinels", "valkeys+sentinel"), "sentinel://one;sentinel://two/0?ssl=true"),
    **dict.fromkeys(("redis+cluster", "rediss+cluster"), "redis://host/0, one server: umbel does not use clusters"),
}
"""What to write instead of schemes that others have."""
_BROKERS: dict[str, Callable[[Place, float, int], Broker]] = {
    "memory": _memory_broker,
    "sqlite": _sqlite_broker,
    **dict.fromkeys(_REDIS, _redis_broker),
}
_BACKENDS: dict[str, Callable[[Place, float | None], ResultBackend]] = {
    "memory": _memory_backend,
    "cache+memory": _memory_backend,
    "sqlite": _sqlite_backend,
    **dict.fromkeys(_REDIS, _redis_backend),
}
_SCHEDULES: dict[str, Callable[[Place, str], ScheduleStore]] = {
    "memory": _memory_schedule,
    "sqlite": _sqlite_schedule,
    **dict.fromkeys(_REDIS, _redis_schedule),
}
_CHANNELS: dict[str, Callable[[Place], Channel]] = {
    "memory": _memory_channel,
    "sqlite": _sqlite_channel,
    **dict.fromkeys(_REDIS, _redis_channel),
}
