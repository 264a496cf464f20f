"""From a URL and its options to a broker, a backend or a schedule. Nothing is connected yet."""

from __future__ import annotations

from typing import Any

from umbel.errors import ImproperlyConfigured
from umbel.stores.place import Place
from umbel.stores.redis.backend import RedisBackend
from umbel.stores.redis.broker import RedisBroker
from umbel.stores.redis.schedule import RedisScheduleStore
from umbel.stores.redis.server import number, server_at, truth

STEPS = (0, 3, 6, 9)
UNACKED = ("unacked", "unacked_index", "unacked_mutex")
OF_BROKERS = ("visibility_timeout", "priority_steps", "celery_workers", *(f"{each}_key" for each in UNACKED))
"""Options of a broker that say nothing to the other stores of the same place."""


def open_broker(place: Place, lease: float, max_deliveries: int) -> RedisBroker:
    """The broker that the URL and the options describe."""
    server = server_at(place)
    broker = RedisBroker(
        server,
        lease=lease,
        max_deliveries=max_deliveries,
        prefix=str(place.take("global_keyprefix", "") or ""),
        sep=str(place.take("sep", "") or "\x06\x16"),
        steps=_steps(place),
        visibility_timeout=number(place, "visibility_timeout", 3600.0, lambda value: value > 0, "a number of seconds above 0"),
        celery_workers=truth(place.take("celery_workers", False)),
        unacked=[str(place.take(f"{name}_key", name)) for name in UNACKED],
    )
    place.done()
    return broker


def open_backend(place: Place, expires: float | None) -> RedisBackend:
    """The result backend that the URL and the options describe."""
    for name in ("visibility_timeout", "priority_steps", "sep", "celery_workers", *(f"{each}_key" for each in UNACKED)):
        place.take(name, None)  # the broker's, often given to both
    prefix, in_order = str(place.take("global_keyprefix", "") or ""), truth(place.take("result_chord_ordered", True))
    backend = RedisBackend(server_at(place), expires=expires, prefix=prefix, chords_in_order=in_order)
    place.done()
    return backend


def open_schedule(place: Place, name: str) -> RedisScheduleStore:
    """The schedule of that name where the URL and the options say."""
    for option in (*OF_BROKERS, "sep"):
        place.take(option, None)  # the broker's, given to both
    store = RedisScheduleStore(server_at(place), name=name, prefix=str(place.take("global_keyprefix", "") or ""))
    place.done()
    return store


def _steps(place: Place) -> tuple[int, ...]:
    """Kombu's priority steps; 0 is always among them."""
    given: Any = place.take("priority_steps", STEPS)
    try:
        steps = {int(step) for step in (given.split(",") if isinstance(given, str) else given)}
    except (TypeError, ValueError, AttributeError):
        steps = {-1}
    if not all(0 <= step <= 255 for step in steps):
        raise ImproperlyConfigured(
            f"{place.url}: priority_steps is {given!r}, and should be a list of numbers as in Celery, [0, 3, 6, 9]"
        )
    return tuple(sorted(steps | {0}))
