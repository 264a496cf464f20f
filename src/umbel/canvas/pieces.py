"""Pieces of a canvas that the store keeps, so that no message carries more of it than it needs; messages hold marks of them.

A chain of n steps would travel n times, each time one step shorter: n² of everything. Cut into pieces, a message carries some
steps and the mark of the next piece; whoever meets the mark fetches what it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from umbel.canvas.shape import CHAIN, CHORD, Sig, body, kind, linear, options_of

KEPT = "umbel.kept"
"""The task that a mark calls: goes on with what is kept."""
PIECE = 8_000
"""Bytes of signatures that a message may carry on: a step is some 200, and half of it is carried on average."""
SPREAD = 64_000
"""Bytes that the parts of a chord may carry of its body all together."""


class Pieces:
    """Cuts what is too long, and has the pieces kept."""

    def __init__(self, new_id: Callable[[], str], keep: Callable[[str, list[Any]], bool], serializer: str):
        """`keep` stores signatures under an id, written by `serializer`; false if nothing can be kept."""
        self._new_id = new_id
        self._keep = keep
        self._serializer = serializer

    def rest(self, following: list[Any]) -> list[Any]:
        """What of the rest of a chain (reversed) messages are to carry."""
        sizes = [size_of(each) for each in following]
        if sum(sizes) <= 2 * PIECE:
            return following
        pieces: list[list[Any]] = [[]]
        room = PIECE
        for sig, size in zip(reversed(following), reversed(sizes), strict=True):  # in the order in which they run
            if pieces[-1] and size > room:
                pieces.append([])
                room = PIECE
            pieces[-1].append(sig)
            room -= size
        last = end(following[0])
        behind: list[Any] = []
        for piece in reversed(pieces[1:]):
            id_ = self._new_id()
            if not self._keep(id_, [*behind, *reversed(piece)]):
                return following
            behind = [mark(id_, last, self._serializer)]
        return [*behind, *reversed(pieces[0])]

    def body(self, last: Any, parts: int) -> Any:
        """What of the body of a chord its parts are to carry."""
        if parts < 2 or last["task"] == KEPT or size_of(last) * parts <= SPREAD:
            return last
        id_ = self._new_id()
        return mark(id_, end(last), self._serializer) if self._keep(id_, [last]) else last


def mark(id_: str, last: str | None, serializer: str) -> Sig:
    """What stands for signatures that are kept under an id, of which `last` is the end."""
    return {
        "task": KEPT,
        "args": [],
        "kwargs": {"id": id_, "end": last, "serializer": serializer},
        "options": {"task_id": id_},
        "subtask_type": None,
        "immutable": False,
    }


def end(sig: Any) -> str | None:
    """The id of what is last in it."""
    options = options_of(sig)
    if options.get("chain"):
        return end(options["chain"][0])
    what = kind(sig)
    if what == CHAIN:
        steps = linear(sig)
        return end(steps[-1]) if steps else options.get("task_id")
    if what == CHORD and body(sig) is not None:
        return end(body(sig))
    found: str | None = sig["kwargs"]["end"] if sig["task"] == KEPT else options.get("task_id")
    return found


def rename(sig: Any, id_: str | None) -> None:
    """Give another id to what is last in it, in place."""
    what = kind(sig)
    options = sig["options"] = dict(options_of(sig))
    if id_ is None:
        return
    if what == CHAIN:
        options["task_id"] = id_
        steps = sig["kwargs"]["tasks"] = linear(sig)
        if steps:
            rename(steps[-1], id_)
    elif what == CHORD and body(sig) is not None:
        rename(body(sig), id_)
    elif what is None:
        options["task_id"] = id_


def size_of(sig: Mapping[str, Any]) -> int:
    """About how many bytes it takes in a message."""
    return len(json.dumps(sig, default=repr, skipkeys=True))
