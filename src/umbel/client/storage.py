"""Where an app's messages, results and schedule are, if its settings say so and if they do not."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from umbel import guise
from umbel.client import places

if TYPE_CHECKING:
    from umbel.settings import Settings
    from umbel.stores.backend import ResultBackend
    from umbel.stores.broker import Broker
    from umbel.stores.channel import Channel
    from umbel.stores.schedule import ScheduleStore

log = guise.logger("umbel")


class Reading(NamedTuple):
    """Where results are, and what is needed to read them."""

    store: ResultBackend | None
    accept: frozenset[str]
    """The content types to accept from it."""
    serializer: str
    """Of its documents."""


_KEEP_RESULTS = ("sqlite", "memory")
"""Schemes of brokers that keep results, too, unless another place is set."""


def broker_url(conf: Settings) -> str:
    """Where messages are sent to: the first such place."""
    return places.of_sending(conf)[0]


def result_url(conf: Settings) -> str | None:
    """Where results are; None: nowhere."""
    url = places.of_results(conf)
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
    conf.refuse()
    sending, receiving = places.of_sending(conf), places.of_receiving(conf)
    if not places.is_chosen(conf):
        _say_where(sending[0])
    target = _several(conf, sending)
    if sending == receiving:
        return target
    from umbel.stores.apart import Apart  # hardly anybody has two

    return Apart(target, _several(conf, receiving))


def _several(conf: Settings, urls: list[str]) -> Broker:
    """The store at the first of these places, and the others for when it is away."""
    opened = [_open(conf, url) for url in urls]
    if len(opened) == 1:
        return opened[0]
    from umbel.stores.spare import Spare  # as above

    return Spare(opened)


def _open(conf: Settings, url: str) -> Broker:
    from umbel.stores import url as stores  # a store's libraries are loaded when it is used

    options = places.options_of_messages(conf, url)
    return stores.open_broker(url, lease=conf.broker_lease, max_deliveries=conf.task_max_deliveries, options=options)


def open_backend(conf: Settings) -> ResultBackend | None:
    """The store of results; None if none are kept."""
    conf.refuse()
    url = result_url(conf)
    if url is None:
        return None
    from umbel.stores import url as stores  # as above

    return stores.open_backend(url, expires=conf.result_expires or None, options=places.options_of_results(conf, url))


def open_joins(conf: Settings) -> ResultBackend:
    """Where chords are counted if the results' own store does not: with the messages."""
    from umbel.stores import url as stores  # as above

    url = broker_url(conf)
    return stores.open_backend(url, expires=conf.result_expires or None, options=places.options_of_messages(conf, url))


def open_channel(conf: Settings) -> Channel:
    """What carries notes to all who listen: beside the messages."""
    from umbel.stores import url as stores  # as above

    url = broker_url(conf)
    return stores.open_channel(url, options=places.options_of_messages(conf, url))


def open_schedule_store(conf: Settings, name: str) -> ScheduleStore:
    """The store of what the app of that name sends when; at the place of the messages, unless another is set."""
    from umbel.stores import url as stores  # as above

    conf.refuse()
    if conf.beat_store:
        return stores.open_schedule(conf.beat_store, name=name, options=_tls_alone(conf, conf.beat_store))
    url = broker_url(conf)
    return stores.open_schedule(url, name=name, options=places.options_of_messages(conf, url))


def _tls_alone(conf: Settings, url: str) -> dict[str, Any]:
    """Of the options of messages those that say how to reach a server."""
    options = places.options_of_messages(conf, url)
    return {name: value for name, value in options.items() if name.startswith("ssl")}


def _say_where(url: str) -> None:
    """Say where the file is: as a warning when it is about to appear, later only as information."""
    path = url.removeprefix("sqlite:///")
    level = logging.INFO if os.path.exists(path) else logging.WARNING
    log.log(level, "no broker_url is set: messages and results are in the file %s", path)
