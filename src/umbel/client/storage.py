"""Where an app's messages, results and schedule are, if its settings say so and if they do not."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, NamedTuple

from umbel import guise

if TYPE_CHECKING:
    from umbel.settings import Settings
    from umbel.stores.backend import ResultBackend
    from umbel.stores.broker import Broker
    from umbel.stores.schedule import ScheduleStore

log = guise.logger("umbel")


class Reading(NamedTuple):
    """Where results are, and what is needed to read them."""

    store: ResultBackend | None
    accept: frozenset[str]
    """The content types to accept from it."""
    serializer: str
    """Of its documents."""


FILE = "umbel.db"
"""Holds messages and results, in the current directory, if nothing is configured."""
_KEEP_RESULTS = ("sqlite", "memory")
"""Schemes of brokers that keep results, too, unless another place is set."""


def broker_url(conf: Settings) -> str:
    """Where messages are."""
    url: str | None = conf.broker_url
    return url or f"sqlite:///{os.path.abspath(FILE)}"


def result_url(conf: Settings) -> str | None:
    """Where results are; None: nowhere."""
    url: str | None = conf.result_backend
    if url:
        return None if url.startswith("disabled") else url
    beside = broker_url(conf)
    return beside if beside.partition(":")[0] in _KEEP_RESULTS else None


def reading(conf: Settings, backend: ResultBackend | None) -> Reading:
    """How results are read by these settings."""
    from umbel.wire.encoding import accept_types

    serializer: str = conf.result_serializer
    return Reading(backend, accept_types((*(conf.result_accept_content or conf.accept_content), serializer)), serializer)


def open_broker(conf: Settings) -> Broker:
    """The store of messages. Tells of the file that nobody asked for."""
    from umbel.stores import url as stores  # a store's libraries are loaded when it is used

    place = broker_url(conf)
    if not conf.broker_url:
        _tell(place)
    limit, options = conf.task_max_deliveries, conf.broker_transport_options
    return stores.open_broker(place, lease=conf.broker_lease, max_deliveries=limit, options=options)


def open_backend(conf: Settings) -> ResultBackend | None:
    """The store of results; None if none are kept."""
    place = result_url(conf)
    if place is None:
        return None
    from umbel.stores import url as stores  # as above

    return stores.open_backend(place, expires=conf.result_expires or None, options=conf.result_backend_transport_options)


def open_joins(conf: Settings) -> ResultBackend:
    """Where chords are counted if the results' own store does not: with the messages."""
    from umbel.stores import url as stores  # as above

    return stores.open_backend(broker_url(conf), expires=conf.result_expires or None, options=conf.broker_transport_options)


def open_schedule_store(conf: Settings, name: str) -> ScheduleStore:
    """The store of what the app of that name sends when; at the place of the messages, unless another is set."""
    from umbel.stores import url as stores  # as above

    if conf.beat_store:
        return stores.open_schedule(conf.beat_store, name=name)
    return stores.open_schedule(broker_url(conf), name=name, options=conf.broker_transport_options)


def _tell(url: str) -> None:
    """Say where the file is: as a warning when it is about to appear, later only as information."""
    path = url.removeprefix("sqlite:///")
    level = logging.INFO if os.path.exists(path) else logging.WARNING
    log.log(level, "no broker_url is set: messages and results are in the file %s", path)
