"""What a task may do to the canvas that it is a part of: let another call stand in its place, add parts to its chord."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from umbel.canvas.pieces import rename
from umbel.canvas.settle import copied, gathered, settle
from umbel.canvas.shape import CHAIN, GROUP, kind, members
from umbel.canvas.unfold import Event, Place, Size, placed, unfold
from umbel.client.canvas.launch import keeping, send_call
from umbel.client.canvas.signature import Signature, maybe_signature
from umbel.client.outbox import call_all
from umbel.errors import Ignore, ImproperlyConfigured
from umbel.execution.request import Request
from umbel.follow.links import ids
from umbel.stores.join import Arrival


def replace(task: Any, sig: Any) -> Any:
    """Let a signature run in the place of what runs now, under its id. Raises Ignore, which ends the run."""
    request: Request = task.request
    given = maybe_signature(sig, app=task._app)
    if given.options.get("chord") is not None:
        raise ImproperlyConfigured("what replaces a task cannot be a part of another chord")
    if kind(given) == CHAIN and not members(given):
        raise ImproperlyConfigured("a task cannot be replaced by an empty chain")
    if request.called_directly:
        return given.apply(throw=True).get()
    found = copied(given)
    if kind(found) == GROUP:
        found["options"].pop("task_id", None)
        found = gathered(found)
    rename(found, request.id)
    settle(found, ids(request, "replace"), id_=request.id)
    app = task.app
    events = unfold(
        found,
        (),
        {},
        _carried(request),
        Place(request.group, request.group_index, request.chord) if request.group else Place(),
        None if request.is_eager else keeping(app),
    )
    request.is_replaced = True
    _leave(app, request, events)
    raise Ignore("replaced by another call")


def _carried(request: Request) -> dict[str, Any]:
    """What goes on as it would have after the task itself."""
    nesting = request.replaced_task_nesting + 1
    rest = [
        {**each, "options": {**(each.get("options") or {}), "replaced_task_nesting": nesting}} for each in request.chain or ()
    ]
    carried: dict[str, Any] = {
        "chain": rest or None,
        "link": request.callbacks,
        "link_error": request.errbacks,
        "root_id": request.root_id,
        "parent_id": request.id,
        "replaced_task_nesting": nesting,
    }
    if request.stamped_headers:
        carried |= {name: (request.stamps or {}).get(name) for name in request.stamped_headers}
        carried["stamped_headers"] = request.stamped_headers
    return {key: value for key, value in carried.items() if value is not None}


def add_to_chord(task: Any, sig: Any, *, lazy: bool) -> Any:
    """Let a signature be one more part of the chord that what runs now is a part of; it is sent with the end of the run.

    With `lazy` it is not sent, but given back as it is to be sent.
    """
    request: Request = task.request
    if request.chord is None or not request.group:
        raise ValueError(f"{task.name}[{request.id}] is no part of a chord, so nothing can be added to it")
    app = task.app
    more = sum(each.more for each in request.grown) + 1
    grown = Arrival(request.group, request.id or "", request.group_index, None, more=more, run=request.retries)
    request.grown = (grown,)
    found = copied(maybe_signature(sig, app=task._app))
    settle(found, ids(request, f"added:{more}"))
    place = Place(request.group, None, request.chord)
    if not lazy:
        _leave(app, request, unfold(found, (), {}, {"root_id": request.root_id, "parent_id": request.id}, place))
        return app.AsyncResult(found["options"]["task_id"])
    if not request.is_eager:
        app.reading().store.arrive([grown])  # the part may arrive before this run ends
    return Signature.from_dict(placed(found, place), app=task._app)


def _leave(app: Any, request: Request, events: Iterable[Event]) -> None:
    """Let these begin with the end of the run."""
    if request.is_eager:
        request.events = [*request.events, *events]
        return
    with app.outbox.diverted() as batch:
        for event in events:
            if isinstance(event, Size):
                request.sizes = [*request.sizes, event]
            else:
                send_call(app, event)
    call_all(batch.then)
    request.follow_ups += batch.envelopes
