"""Words that people from Celery try, and where what they want is."""

from __future__ import annotations

from umbel import guise

ELSEWHERE = {
    "multi": "start each worker by itself: `{0} -A proj worker -n w1@%h -D`, or by systemd (docs/how-to/run-workers.md)",
    "shell": "open a Python shell and import your app: `python -i -m proj`",
    "list": "queues are shown by `{0} queues`",
    "graph": "draw nothing, but see `{0} queues` and `{0} report`",
    "logtool": "count lines of a log with grep",
    "amqp": "umbel does not speak with RabbitMQ",
    "migrate": "send what waits again with `{0} dead`, or let the old workers finish",
    "upgrade": "old names of settings are as good as new ones",
    "flower": "see `{0} queues --watch`",
    "status": "see `{0} queues`, which shows what workers hold",
    "inspect": "see `{0} queues`, `{0} result ID` and `{0} report`",
    "control": "tasks are called off with `{0} revoke`, and a worker is stopped or begun anew with a signal",
    "events": "see `{0} queues --watch`",
}
"""Celery's commands that are none of umbel's."""

POOLS = {
    "gevent": "threads (for what waits), or asyncio with `async def` tasks",
    "eventlet": "threads (for what waits), or asyncio with `async def` tasks",
    "thread": "threads",
    "process": "processes",
    "custom": "prefork, threads or asyncio: pools of others cannot serve here",
}
"""Names of pools that others have, and what to take instead."""


def elsewhere(word: str, known: object = ()) -> str | None:
    """What to do instead of a command of Celery's; None for a word that is none, or that is known here."""
    found = ELSEWHERE.get(word)
    return None if found is None else found.format(guise.worn().program)
