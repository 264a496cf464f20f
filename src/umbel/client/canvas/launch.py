"""Sends a canvas: settled, unfolded, and its calls given to the outbox a thousand at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from umbel.canvas.pieces import Pieces
from umbel.canvas.settle import copied, settle
from umbel.canvas.shape import CHORD, GROUP, Sig, flat, kind, leaves, options_of
from umbel.canvas.unfold import Call, Event, Keep, Place, Size, ended, unfold
from umbel.client.canvas.mould import Moulds
from umbel.client.current import App
from umbel.client.results.result import result_from_tuple
from umbel.errors import BrokerRefused, ImproperlyConfigured
from umbel.execution import request as requests
from umbel.execution.runnable import find_task
from umbel.messages.options import sendable
from umbel.stores.join import OPEN, WAITS
from umbel.wire import encoding
from umbel.wire.ids import new_id

CHUNK = 1000
"""Messages given to the store at once: beyond, it gains nothing more for each."""
FEW = CHUNK // 2
"""Messages of a chord of which none is sent before all are known."""


def launch(canvas: Any, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any:
    """Send a canvas with arguments before those of what begins in it; gives the result of its end."""
    app = canvas.app
    options, id_ = named(canvas, options)
    add_to_parent = options.pop("add_to_parent", None)
    stream = _streamed(canvas)
    args, kwargs = tuple(args or ()), dict(kwargs or {})
    if stream is not None:
        tree, events = _lazily(canvas, stream, args, kwargs, options, id_, keeping(app))
        send(app, events)
    else:
        found = sendable(canvas)
        tree = settle(found, new_id, id_=id_)
        send(app, unfold(found, args, kwargs, options, keep=keeping(app)))
    result = result_from_tuple(tree, app)
    parent = requests.served()
    if parent is not None and add_to_parent is not False:
        parent.children.append(result.as_tuple())
    return result


def named(canvas: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The options without the id that the end of the canvas is to have, and that."""
    rest = {key: value for key, value in options.items() if value is not None}
    id_ = rest.pop("task_id", None)
    if kind(canvas) == GROUP:
        id_ = id_ or rest.pop("group_id", None)
    return rest, id_


def keeping(app: App) -> Keep | None:
    """What has the store keep the rest of long chains; None where messages must hold all that Celery's would."""
    store = app.reading().store
    if store is None or app.conf.task_shared_with_celery:
        return None
    serializer: str = app.conf.task_serializer

    def keep(id_: str, signatures: list[Any]) -> bool:
        try:
            store.save_group(id_, encoding.dumps(signatures, serializer, name="the canvas")[2], WAITS)
        except BrokerRefused:
            return False
        return True

    return Pieces(new_id, keep, serializer)


def send(app: App, events: Iterable[Event]) -> None:
    """Send calls, and tell the store sizes of chords before."""
    remaining, moulds = iter(events), Moulds(app)
    while chunk := list(islice(remaining, CHUNK)):
        with app.outbox.batch():
            for event in chunk:
                if isinstance(event, Size):
                    expect(app, event)
                elif (envelope := moulds.cast(event)) is not None:
                    app.outbox.send((envelope,))
                else:
                    send_call(app, event)


def expect(app: App, size: Size) -> None:
    """Tell the store of results how many parts a chord has."""
    store = app.reading().store
    if store is None:
        raise ImproperlyConfigured("a chord needs a place where its parts are counted: set result_backend (broker_url may do)")
    store.expect(size.chord, size.parts)


def send_call(app: App, call: Call) -> None:
    """Send one call, by the methods of app and task, which somebody may have overridden."""
    task: Any = find_task(app.tasks, call.task)
    options = {**call.options, "add_to_parent": False}
    if task is None:
        app.send_task(call.task, call.args, call.kwargs, **options)
    else:
        task.apply_async(call.args, call.kwargs, **options)


# -- calls of a generator, none of which is kept ---------------------------------------------------------------------------


def _streamed(canvas: Any) -> Iterator[Any] | None:
    """The calls of a generator that nobody has asked yet, if it is made of one."""
    what = kind(canvas)
    found: Any = canvas["kwargs"].get("tasks" if what == GROUP else "header") if what in (GROUP, CHORD) else None
    if getattr(found, "is_open", False):
        calls: Iterator[Any] = found.drain()
        return calls
    return None


def _lazily(
    canvas: Any,
    calls: Iterator[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: dict[str, Any],
    id_: str | None,
    keep: Keep | None,
) -> tuple[list[Any], Iterator[Event]]:
    """The result tuple, which is complete once all events were asked for, and these."""
    parts: list[Any] = []
    said = {**options_of(canvas), **options}
    if kind(canvas) == GROUP:
        gid = said.pop("task_id", None) or id_ or new_id()
        given = {key: value for key, value in said.items() if key not in _OF_ENDS}
        return [[gid, None], parts], _each(calls, parts, args, kwargs, given, gid, None, keep)
    gid = said.get("task_id") or new_id()
    last = sendable(canvas["kwargs"]["body"])
    tree = settle(last, new_id, id_=id_)
    of_all = {key: value for key, value in said.items() if key not in _OF_ENDS}
    last = ended(last, gid, said, Place(), {key: value for key, value in of_all.items() if key not in ("countdown", "eta")})
    if keep is not None:
        last = keep.body(last, 1 << 10)
    tree[0][1] = [[gid, None], parts]
    return tree, _each(calls, parts, args, kwargs, of_all, gid, last, keep)


_OF_ENDS = frozenset({"task_id", "link", "link_error", "chain", "chord", "group_id", "group_index"})


def _each(
    calls: Iterator[Any],
    parts: list[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: dict[str, Any],
    gid: str,
    last: Sig | None,
    keep: Keep | None,
) -> Iterator[Event]:
    """Unfold one call after the other. The size of a chord is told when it is known, before the last part is given.

    Before the first are sent of many it is told that they are many, so that the record waits for the others as long as it takes.
    """
    held: list[Event] = []
    size = given = 0
    for index, sig in enumerate(flat(calls)):
        yield from held
        found = copied(sig) if kind(sig) is None else sendable(sig)  # a call is looked at as it is sent, just now
        parts.append(settle(found, new_id, index=index))
        size += leaves(found)
        held = list(unfold(found, args, kwargs, options, Place(gid, index, last), keep))
        if last is not None and given <= FEW < given + len(held):
            yield Size(gid, OPEN)
        given += len(held)
    if last is not None:
        if not size:
            yield from unfold(last, ([],), {}, {}, keep=keep)
            return
        yield Size(gid, size)
    yield from held
