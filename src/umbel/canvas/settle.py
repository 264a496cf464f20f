"""Ids of all calls in a canvas, given before any of them is sent: what is returned to the caller are results of the last ones.

A result tuple is `[[id, parent], children]`, as `AsyncResult.as_tuple` gives it: parent a result tuple or None, children a list
of them of a group, None of a single call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from umbel.canvas.ids import derived_id
from umbel.canvas.shape import (
    ACCUMULATE,
    CHAIN,
    CHORD,
    CHUNKS,
    GROUP,
    Sig,
    body,
    flat,
    header,
    kind,
    linear,
    linked,
    made,
    options_of,
)
from umbel.canvas.shape import members as members_of

NewId = Callable[[], str]
Tree = list[Any]


def copied(sig: Any) -> Any:
    """The canvas in dicts of its own, down to the single calls; arguments are shared."""
    what = kind(sig)
    found = dict(sig)
    found["options"] = dict(options_of(sig))
    if what in (CHAIN, GROUP):
        if sig["task"] == CHUNKS:
            return made(GROUP, {"tasks": list(members_of(sig))}, found["options"])
        found["kwargs"] = {**sig["kwargs"], "tasks": [copied(each) for each in members_of(sig)]}
    elif what == CHORD:
        kwargs = found["kwargs"] = dict(sig["kwargs"])
        given = kwargs["header"]
        is_group = isinstance(given, dict) and kind(given) == GROUP
        kwargs["header"] = copied(given) if is_group else [copied(each) for each in header(sig)]
        kwargs["body"] = None if body(sig) is None else copied(body(sig))
    return found


def settle(sig: Any, new_id: NewId, *, id_: str | None = None, index: int | None = None) -> Tree:
    """Give an id to each call that has none, in place, and the shape in which it unfolds; gives its result tuple.

    `id_` is for what is last in it. Twice changes nothing.
    """
    what = kind(sig)
    options = sig["options"] = sig.get("options") or {}
    if index is not None and what is None:
        options["group_index"] = index
    if what is None:
        options["task_id"] = found = options.get("task_id") or id_ or new_id()
        return [[found, None], None]
    return _SETTLED[what](sig, new_id, id_)


def _chain(sig: Any, new_id: NewId, id_: str | None) -> Tree:
    said = sig["options"]
    steps = sig["kwargs"]["tasks"] = linked(linear(sig), {key: said.pop(key, None) for key in ("link", "link_error")})
    tree: Tree | None = None
    for step in steps:
        last = step is steps[-1]
        here = settle(step, new_id, id_=(said.get("task_id") or id_) if last else None)
        _bear(here, tree)
        tree = here
    if tree is None:
        said["task_id"] = found = said.get("task_id") or id_ or new_id()
        return [[found, None], None]
    said["task_id"] = tree[0][0]
    return tree


def _bear(tree: Tree, parent: Tree | None) -> None:
    """Say what came before it: before the header, where it is a chord."""
    if tree[0][1] is not None:
        tree = tree[0][1]
    if parent is not None:
        tree[0][1] = parent


def _group(sig: Any, new_id: NewId, id_: str | None) -> Tree:
    options = sig["options"]
    options["task_id"] = found = options.get("task_id") or id_ or new_id()
    inside = sig["kwargs"]["tasks"] = list(flat(members_of(sig)))
    return [[found, None], [settle(each, new_id, index=place) for place, each in enumerate(inside)]]


def _chord(sig: Any, new_id: NewId, id_: str | None) -> Tree:
    given, options = sig["kwargs"]["header"], sig["options"]
    front = given if isinstance(given, dict) and kind(given) == GROUP else made(GROUP, {"tasks": list(header(sig))})
    front["options"] = front.get("options") or {}
    front["options"]["task_id"] = options.get("task_id") or front["options"].get("task_id") or new_id()
    sig["kwargs"]["header"] = front
    tree = settle(front, new_id)
    options["task_id"] = tree[0][0]
    behind = body(sig)
    if behind is None:
        return tree
    result = settle(behind, new_id, id_=id_)
    result[0][1] = tree
    return result


def gathered(group: Any) -> Sig:
    """A group as a chord whose body gives the list of its values: so it can be one part of another."""
    options = dict(options_of(group))
    id_ = options.get("task_id")
    last = derived_id(id_, "values") if id_ else None
    gather: Sig = {
        "task": ACCUMULATE,
        "args": [],
        "kwargs": {"index": 0},
        "options": {"task_id": last} if last else {},
        "subtask_type": None,
        "immutable": False,
    }
    kept = {key: value for key, value in options.items() if key not in _MEMBERSHIP}
    front = made(GROUP, {"tasks": list(members_of(group))}, {"task_id": id_} if id_ else {})
    return made(CHORD, {"header": front, "body": gather}, kept)


_MEMBERSHIP = frozenset({"group_id", "group_index", "chord", "root_id", "parent_id"})
_SETTLED = {CHAIN: _chain, GROUP: _group, CHORD: _chord}
