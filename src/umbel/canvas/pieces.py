"""Pieces of a canvas that the store keeps, so that no message carries more of it than it needs; messages hold marks of them.

A chain of n steps would travel n times, each time one step shorter: n² of everything. Cut into pieces, a message carries some
steps and the mark of the next piece; whoever meets the mark fetches what it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from umbel.canvas.shape import CHAIN, CHORD, GROUP, Sig, body, flat, kind, linear, members, options_of

KEPT = "umbel.kept"
"""The task that a mark calls: goes on with what is kept."""
PIECE = 8_000
"""Bytes of signatures that a message may carry on: a step is some 200, and half of it is carried on average."""
SPREAD = 64_000
"""Bytes that the parts of a chord may carry of its body all together."""
LITTLE = 1_000
"""Bytes that a mark may carry of the body of the chord at which its end arrives, and of the ids of its ends."""


class Pieces:
    """Cuts what is too long, and has the pieces kept."""

    def __init__(self, new_id: Callable[[], str], keep: Callable[[str, list[Any]], bool], serializer: str):
        """`keep` stores signatures under an id, written by `serializer`; false if nothing can be kept."""
        self._new_id = new_id
        self._keep = keep
        self._serializer = serializer
        self._marked: dict[int, tuple[Any, Sig]] = {}
        """Bodies for which there are marks, by their identity, and these."""

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
        last = self._ends(following[0])
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
        return self._body(last, SPREAD // parts)

    def _body(self, last: Any, limit: int) -> Any:
        """The mark of a body, or the body itself if it cannot be kept."""
        known = self._marked.get(id(last))
        if known is not None and known[0] is last:
            return known[1]
        id_ = self._new_id()
        if not self._keep(id_, [last]):
            return last
        found = mark(id_, self._ends(last, limit), self._serializer)
        self._marked[id(last)] = last, found
        return found

    def _ends(self, last: Any, limit: int = LITTLE) -> list[Sig]:
        """The options of what comes last, as far as a mark tells of them. A chord's body that is too long gets a mark itself."""
        found = [{name: said[name] for name in _OF_ENDS if said.get(name) is not None} for said in ends(last)]
        limit = min(limit, LITTLE)
        for said in found:
            if "chord" in said and said["chord"]["task"] != KEPT and size_of(said["chord"]) > limit:
                said["chord"] = self._body(said["chord"], limit)
        if len(found) > 1 and size_of(found) > LITTLE:  # a large group, whose members are told by what is kept alone
            return [{"task_id": options_of(last)["task_id"]}] if options_of(last).get("task_id") else []
        return found


_OF_ENDS = ("task_id", "group_id", "group_index", "chord")


def mark(id_: str, last: list[Sig], serializer: str) -> Sig:
    """What stands for signatures that are kept under an id.

    `last`: the options of what comes last in them, for who must tell its end if what is kept is gone.
    """
    return {
        "task": KEPT,
        "args": [],
        "kwargs": {"id": id_, "ends": last, "serializer": serializer},
        "options": {"task_id": id_},
        "subtask_type": None,
        "immutable": False,
    }


def ends(sig: Any) -> Iterator[Mapping[str, Any]]:
    """The options of what is last in it: of one call, or of those of a group."""
    options = options_of(sig)
    what = kind(sig)
    if options.get("chain"):
        yield from ends(options["chain"][0])
    elif what == CHAIN and (steps := linear(sig)):
        yield from ends(steps[-1])
    elif what == CHORD and body(sig) is not None:
        yield from ends(body(sig))
    elif what == GROUP:
        for each in flat(members(sig)):
            yield from ends(each)
    elif sig["task"] == KEPT:
        yield from told(sig["kwargs"])
    else:
        yield options


def told(words: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a mark with these words tells of its ends."""
    found = words.get("ends")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, (list, tuple)) else ()


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


def size_of(sig: Any) -> int:
    """About how many bytes it takes in a message."""
    return len(json.dumps(sig, default=repr, skipkeys=True))
