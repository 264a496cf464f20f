"""One tick of an entry: the call that it makes, sent or ready to be sent."""

from __future__ import annotations

from typing import Any

from umbel.client.current import App
from umbel.client.define import stranger
from umbel.client.periodic.entry import Entry
from umbel.client.plain import is_plain
from umbel.client.results.result import AsyncResult
from umbel.messages.options import checked
from umbel.messages.write import Draft
from umbel.wire.ids import new_id


def goes_plainly(app: App, entry: Entry) -> bool:
    """True if `draft_of` is all that `fire` would do: nobody overrides the methods that it goes through, or is told of each."""
    task = app.tasks.get(entry.task)
    return is_plain(app.send_task) and not app.conf.task_send_sent_event and (task is None or is_plain(task.apply_async))


def draft_of(app: App, entry: Entry, *, id: str | None = None) -> Draft:
    """The call that the entry makes; its task need not be known here."""
    args, kwargs = entry.arguments()
    options = _options(entry, id)
    task = app.tasks.get(entry.task) or stranger(entry.task, app)
    return app.writer.draft(entry.task, options["task_id"], list(args), kwargs, options, task=task)


def fire(app: App, entry: Entry, *, id: str | None = None) -> AsyncResult[Any]:
    """Send the call that the entry makes, as its task does, or the app if that is not known here."""
    args, kwargs = entry.arguments()
    options = _options(entry, id)
    task = app.tasks.get(entry.task)
    if task is None or is_plain(task.apply_async):
        return app.send_task(entry.task, list(args), kwargs, task_type=task, **options)  # type: ignore[no-any-return]  # as `App` has it
    return task.apply_async(list(args), kwargs, **options)  # type: ignore[no-any-return]


def _options(entry: Entry, id_: str | None) -> dict[str, Any]:
    """As from Celery's beat, its message bears the headers `celery_beat_task` and `periodic_task_name`."""
    own = checked(entry.task, {"headers": entry.options.get("headers")}).get("headers", {})
    headers = {**own, "celery_beat_task": True, "periodic_task_name": entry.name}
    given = entry.options.get("task_id")
    return {**entry.options, "headers": headers, "task_id": given if given is not None else id_ or new_id()}
