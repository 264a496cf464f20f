"""How a call is sent where `app.amqp` is of somebody else's class: by its router, and its methods that make and send messages."""

from __future__ import annotations

from typing import Any, NoReturn

from umbel.errors import BrokerDown, EncodeError
from umbel.execution import request as requests
from umbel.messages.complete import of_task
from umbel.wire.ids import new_id

_OF_MESSAGE = (
    *("countdown", "eta", "group_id", "group_index", "expires", "retries", "chord", "link", "link_error", "reply_to"),
    *("time_limit", "soft_time_limit"),
)
_BEHIND = ("root_id", "parent_id", "shadow", "chain")


def fail(problem: BrokerDown | EncodeError) -> NoReturn:
    """Raise what kombu would raise where a call cannot be sent."""
    if isinstance(problem, BrokerDown):
        from celery.exceptions import OperationalError

        raise OperationalError(str(problem)) from None
    from kombu.exceptions import EncodeError as KombusError

    raise KombusError(str(problem)) from problem


def send_by_amqp(
    app: Any, name: str, args: Any, kwargs: Any, options: dict[str, Any], task_id: str | None, producer: Any, router: Any
) -> str:
    """Send it; gives its id."""
    amqp = app.amqp
    task = options.pop("task_type", None)
    counts = options.pop("add_to_parent", True)
    for each in ("publisher", "route_name"):
        options.pop(each, None)
    options = of_task(task, options) if task is not None else {key: value for key, value in options.items() if value is not None}
    options = (router or amqp.router).route(options, name, args, kwargs, task)
    parent = requests.served()
    if parent is not None:
        options.setdefault("root_id", parent.root_id or parent.id)
        options.setdefault("parent_id", parent.id)
    id_ = task_id or new_id()
    words = {each: options.pop(each, None) for each in (*_OF_MESSAGE, *_BEHIND)}
    words["retries"] = words["retries"] or 0
    for each in ("link", "link_error"):
        if words[each] is not None and not isinstance(words[each], (list, tuple)):
            words[each] = [words[each]]
    message = amqp.create_task_message(
        id_,
        name,
        args,
        kwargs,
        *(words[each] for each in _OF_MESSAGE),
        app.conf.task_send_sent_event,
        *(words[each] for each in _BEHIND),
        ignore_result=options.pop("ignore_result", None),
        replaced_task_nesting=options.pop("replaced_task_nesting", None) or 0,
        **options,
    )
    try:
        amqp.send_task_message(producer, name, message, **options)
    except (BrokerDown, EncodeError) as problem:
        fail(problem)
    if parent is not None and counts:
        parent.children.append(app.AsyncResult(id_).as_tuple())
    return id_
