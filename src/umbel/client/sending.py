"""One call on its way out of the program: made complete, written, handed to the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from umbel.client import formats
from umbel.client.current import App
from umbel.client.define import stranger
from umbel.client.results.result import AsyncResult
from umbel.errors import EncodeError
from umbel.execution import request as requests
from umbel.messages.complete import Rules
from umbel.messages.routing import Router
from umbel.messages.write import Writer, blame
from umbel.settings import Settings
from umbel.wire.ids import new_id

ORDERS = ".joins"
"""Behind the name of the default queue: that of what only workers of umbel understand."""


def writer(conf: Settings) -> Writer:
    """What makes messages by these settings."""
    conf.refuse()
    formats.refuse(conf)
    return Writer(
        Rules(
            Router(
                conf.task_routes,
                conf.task_queues,
                default=conf.task_default_queue,
                create_missing=conf.task_create_missing_queues,
            ),
            conf.task_serializer,
            conf.task_compression,
            conf.task_default_priority,
            conf.task_inherit_parent_priority,
            f"{conf.task_default_queue}{ORDERS}" if conf.task_shared_with_celery else None,
        )
    )


def send(
    app: App, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], task: Any
) -> AsyncResult[Any]:
    """Send a call of `task` (None: it is not known here), and count it among the children of the run that it is made in."""
    parent = requests.served()
    id_ = options.get("task_id") or new_id()
    draft = app.writer.draft(name, id_, args, kwargs, options, task=stranger(name, app) if task is None else task, parent=parent)
    policy = options.get("retry_policy")
    try:
        envelope, then = draft.write(policy)
    except EncodeError as problem:
        raise blame(problem, name, () if task is None else task.shortcut.arguments.names) from problem
    if app.conf.task_send_sent_event:
        then = app.events.sent(envelope, then)
    app.outbox.send((envelope,), retry=options.get("retry"), policy=policy, then=then)
    result: AsyncResult[Any] = app.result_type(envelope.id, app=app)
    result.ignored = bool(draft.message.headers.ignore_result)
    if parent is not None and options.get("add_to_parent") is not False:
        parent.children.append(result.as_tuple())
    return result
