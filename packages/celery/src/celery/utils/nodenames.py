"""Names of nodes: `celery@host`."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from typing import Any

from celery.utils.text import simple_format

WORKER_DIRECT_EXCHANGE = "C.dq2"
WORKER_DIRECT_QUEUE_FORMAT = "{hostname}.dq2"
NODENAME_SEP = "@"
NODENAME_DEFAULT = "celery"

gethostname = lru_cache(maxsize=4)(socket.gethostname)


def worker_direct(hostname: Any) -> Any:
    """The queue of one worker alone."""
    from kombu import Exchange, Queue

    if isinstance(hostname, Queue):
        return hostname
    return Queue(WORKER_DIRECT_QUEUE_FORMAT.format(hostname=hostname), Exchange(WORKER_DIRECT_EXCHANGE), hostname)


def nodename(name: str, hostname: str) -> str:
    """A node's name."""
    return NODENAME_SEP.join((name, hostname))


def anon_nodename(hostname: str | None = None, prefix: str = "gen") -> str:
    """A name for a node that nobody has named."""
    return nodename(f"{prefix}{os.getpid()}", hostname or gethostname())


def nodesplit(name: str) -> Any:
    """Name and host of a node; the name is None if it has none."""
    parts = name.split(NODENAME_SEP, 1)
    return (None, parts[0]) if len(parts) == 1 else parts


def default_nodename(hostname: str, default_name: str = NODENAME_DEFAULT) -> str:
    """A node's name, made whole."""
    name, host = nodesplit(hostname or "")
    return nodename(name or default_name, host or gethostname())


def node_format(s: str, name: str, **extra: Any) -> Any:
    """Text with %h, %n, %d, %p and more of a node replaced."""
    short, host = nodesplit(name)
    return host_format(s, host, short or NODENAME_DEFAULT, p=name, **extra)


def _fmt_process_index(prefix: str = "", default: str = "0") -> str:
    from celery.utils.log import current_process_index

    index = current_process_index()
    return f"{prefix}{index}" if index else default


def _fmt_process_index_with_prefix() -> str:
    return _fmt_process_index("-", "")


def host_format(s: str, host: str | None = None, name: str | None = None, **extra: Any) -> Any:
    """Text with %h, %n, %d, %i and %I replaced."""
    host = host or gethostname()
    hname, _, domain = host.partition(".")
    keys = {"h": host, "n": name or hname, "d": domain, "i": _fmt_process_index, "I": _fmt_process_index_with_prefix, **extra}
    return simple_format(s, keys)
