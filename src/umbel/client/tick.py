"""One tick of an entry as a call, ready to be sent."""

from __future__ import annotations

from typing import Any

from umbel.client import making
from umbel.client.call import Call, prepare
from umbel.client.current import App
from umbel.client.entry import Entry
from umbel.wire.ids import new_id


def call_of(app: App, entry: Entry, *, id: str | None = None) -> Call:
    """The call that the entry makes; its task need not be known here.

    As from Celery's beat, its message bears the headers `celery_beat_task` and `periodic_task_name`.
    """
    known = app.tasks.get(entry.task)
    task = making.stranger(entry.task, app) if known is None else known
    args, kwargs = entry.arguments()
    options: dict[str, Any] = {**task.options_of_calls(), **entry.options}
    shadow = options.get("shadow") or task.shadow_name(args, kwargs, options)
    if shadow:
        options["shadow"] = shadow
    options["headers"] = {**(options.get("headers") or {}), "celery_beat_task": True, "periodic_task_name": entry.name}
    id_ = options.get("task_id") or id or new_id()
    return prepare(entry.task, id_, args, kwargs, options, conf=app.conf, router=app.router, parent=None, task=known)
