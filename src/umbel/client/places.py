"""The places of messages and results that settings name together: URLs, parts of URLs, TLS, patience."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from umbel.errors import ImproperlyConfigured

if TYPE_CHECKING:
    from umbel.settings import Settings

FILE = "umbel.db"
"""Holds messages and results, in the current directory, if nothing is configured."""
_PARTS = ("host", "port", "user", "password", "vhost")
_WITHOUT_TLS = ("sqlite", "memory", "cache+memory")
_REDIS = ("redis", "rediss", "valkey", "valkeys", "sentinel")
_OF_AMQP = ("keyfile", "certfile", "ca_certs", "cert_reqs", "check_hostname")
"""How options of TLS are called for RabbitMQ; with `ssl_` in front they are what Redis calls them."""


def of_sending(conf: Settings) -> list[str]:
    """Where messages are sent to: the first, and those that stand in for it."""
    return _several(conf, conf["broker_write_url"] or conf["broker_url"], "broker_write_url")


def of_receiving(conf: Settings) -> list[str]:
    """Where messages are taken from."""
    return _several(conf, conf["broker_read_url"] or conf["broker_url"], "broker_read_url")


def is_chosen(conf: Settings) -> bool:
    """False if nothing says where messages are."""
    names = ("broker_url", "broker_read_url", "broker_write_url", "broker_transport", "broker_host")
    return any(conf[name] for name in names)


def _several(conf: Settings, given: str | Sequence[str] | None, name: str) -> list[str]:
    """Each place as a URL of its own, in the order in which they are to be tried."""
    if not given:
        return [_of_parts(conf) or f"sqlite:///{os.path.abspath(FILE)}"]
    texts = [given] if isinstance(given, str) else list(given)
    found = [_whole(conf, each) for text in texts for each in _split(text)]
    how = conf.broker_failover_strategy
    if how == "shuffle":
        import random  # hardly anybody wants that

        random.shuffle(found)
    elif how not in (None, "round-robin"):
        raise ImproperlyConfigured(f"broker_failover_strategy = {how!r}: expected 'round-robin' or 'shuffle'")
    return found


def _split(text: str) -> list[str]:
    """`a;b` names two places, except that sentinels are one place together."""
    found: list[str] = []
    for part in text.split(";"):
        if found and found[-1].startswith("sentinel://") and (part.startswith("sentinel://") or "://" not in part):
            found[-1] += f";{part}"
        elif part.strip():
            found.append(part.strip())
    return found or [text]


def _whole(conf: Settings, text: str) -> str:
    """A URL with its scheme: `redis` alone, and what begins with a host, stand for one."""
    scheme = conf.broker_transport
    if "://" in text:
        return text
    if text in _REDIS:
        return _of_parts(conf, text) or f"{text}://"
    return f"{scheme}://{text}" if scheme else text


def _of_parts(conf: Settings, scheme: str | None = None) -> str | None:
    """The URL that `broker_transport`, `broker_host` and the like say; None if they say nothing."""
    scheme = scheme or conf.broker_transport
    if not scheme and not conf.broker_host:
        return None
    if conf.broker_host and "://" in conf.broker_host:
        return str(conf.broker_host)
    parts = {name: conf[f"broker_{name}"] for name in _PARTS}
    if parts["host"] is None and scheme in ("sqlite", "filesystem"):
        raise ImproperlyConfigured(f"broker_transport = {scheme!r} says no place: set broker_url")
    return _joined(scheme or "amqp", parts, conf.broker_host or ("" if scheme == "memory" else "localhost"))


def _joined(scheme: str, parts: Mapping[str, Any], host: str) -> str:
    from urllib.parse import quote  # nor has parts

    user, password = parts["user"] or "", parts["password"]
    account = quote(str(user), safe="")
    if password:
        account += f":{quote(str(password), safe='')}"
    port = f":{parts['port']}" if parts["port"] else ""
    vhost = "" if parts["vhost"] is None else str(parts["vhost"]).lstrip("/")
    return f"{scheme}://{account}{'@' if account else ''}{host}{port}{f'/{vhost}' if vhost else ''}"


def of_results(conf: Settings) -> str | None:
    """What `result_backend` names; None if it is not set."""
    url: str | None = conf["result_backend"]
    if url in ("redis", "rediss"):
        parts = {"user": conf.redis_username, "password": conf.redis_password, "port": conf.redis_port, "vhost": conf.redis_db}
        return _joined(url, parts, conf.redis_host or "localhost")
    return url


def options_of_messages(conf: Settings, url: str) -> dict[str, Any]:
    """Options of the store of messages at `url`: those set for it, TLS, and patience."""
    found = dict(_tls("broker_use_ssl", conf.broker_use_ssl, url))
    if _is_redis(url) and conf.value_set_for("broker_connection_timeout"):
        found["socket_connect_timeout"] = conf.broker_connection_timeout
    return {**found, **(conf.broker_transport_options or {})}


def options_of_results(conf: Settings, url: str) -> dict[str, Any]:
    """The same of the store of results."""
    found = dict(_tls("redis_backend_use_ssl", conf.redis_backend_use_ssl, url))
    if _is_redis(url):
        for name in ("socket_timeout", "socket_connect_timeout"):
            if conf.value_set_for(f"redis_{name}") and conf[f"redis_{name}"] is not None:
                found[name] = conf[f"redis_{name}"]
    return {**found, **(conf.result_backend_transport_options or {})}


def _is_redis(url: str) -> bool:
    return url.partition("://")[0] in _REDIS


def _tls(setting: str, given: Any, url: str) -> dict[str, Any]:
    """What a setting of TLS says as options of a store; nothing where nothing crosses a network."""
    if not given or url.partition("://")[0] in _WITHOUT_TLS or "+socket" in url.partition("://")[0]:
        return {}
    if given is True or given == 1:
        return {"ssl": True}
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"{setting} = {given!r}: expected True, or a dict as {{'ssl_ca_certs': '/etc/ca.pem'}}")
    return {"ssl": True, **{f"ssl_{name}" if name in _OF_AMQP else name: value for name, value in given.items()}}
