"""What a worker or a beat shows when it starts, with the labels that scripts look for."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from celery import VERSION_BANNER

_BOLD, _CYAN, _PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"


def of_worker(worker: Any, *, tasks: bool, color: bool) -> str:
    """The banner of a worker; its lines are not wrapped, so that scripts find what they look for."""
    app = worker.app
    lines = [
        "",
        f" -------------- {worker.hostname} v{VERSION_BANNER}",
        f" {platform.platform()} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}",
    ]
    lines += ["", " [config]", *(f" .> {label + ':':<13}{value}" for label, value in _facts(worker))]
    lines += ["", " [queues]", *_queues(app, worker.queues), ""]
    if tasks:
        names = sorted(name for name in app.tasks if not name.startswith("celery."))
        lines += ["[tasks]", *(f"  . {name}" for name in names), ""]
    return "\n".join(_painted(line, color=color) for line in lines)


def of_beat(app: Any, scheduler: str, answers_as: str | None = None) -> str:
    """The banner of a beat."""
    now = datetime.now().astimezone()
    facts = {
        "broker": app.broker.url,
        "loader": _path(type(app.loader)),
        "scheduler": "celery.beat.PersistentScheduler" if scheduler == "umbel" else scheduler,
        "db": app.schedule_store.url,
        "maxinterval": f"{app.conf.beat_max_loop_interval or 300:g}s",
        **({"remote control": answers_as} if answers_as else {}),
    }
    head = [f"celery beat v{VERSION_BANNER} is starting.", f"LocalTime -> {now:%Y-%m-%d %H:%M:%S}", "Configuration ->"]
    return "\n".join([*head, *(f"    . {label} -> {value}" for label, value in facts.items()), ""])


def _facts(worker: Any) -> Iterator[tuple[str, str]]:
    app = worker.app
    yield "app", f"{app.main or '__main__'}:{hex(id(app))}"
    yield "transport", app.broker.url
    yield "results", app.result_store.url if app.result_store else "disabled://"
    yield "concurrency", f"{worker.concurrency} ({worker.pool_name})"
    yield "task events", "ON" if worker.tells_of_tasks else "OFF (enable -E to monitor tasks in this worker)"


def _queues(app: Any, names: list[str]) -> Iterator[str]:
    for name in names:
        exchange, kind, key = exchange_of(app, name)
        yield f" .> {name:<16} exchange={exchange}({kind}) key={key}"


def exchange_of(app: Any, name: str) -> tuple[str, str, str]:
    """The exchange of a queue, its type, and the key by which messages come from there."""
    found = app.router.queues.get(name)
    exchange = getattr(found, "exchange", None)
    exchange_name = getattr(exchange, "name", exchange) or name
    return str(exchange_name), str(getattr(exchange, "type", None) or "direct"), str(getattr(found, "routing_key", None) or name)


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _painted(line: str, *, color: bool) -> str:
    if not color or not line.strip():
        return line
    return f"{_BOLD if '--------' in line else _CYAN}{line}{_PLAIN}"
