"""What of a canvas will never run, because something before it has failed: whoever waits for a piece of it must be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from umbel.canvas.pieces import KEPT, told
from umbel.canvas.shape import CHAIN, CHORD, GROUP, Sig, as_list, body, flat, header, kind, linear, members, options_of


class Lost(msgspec.Struct, frozen=True):
    """One call that is never made."""

    id: str
    chord: Sig | None = None
    """The body of the chord that waits for it, if it is a part of one that has begun."""
    group_id: str | None = None
    index: int | None = None


def lost(sig: Any, *, begun: bool = True) -> Iterator[Lost]:
    """All calls of a canvas. `begun`: chords of which it is a part count on it; those inside it never began."""
    what = kind(sig)
    options = options_of(sig)
    for each in reversed(as_list(options.get("chain"))):
        yield from lost(each, begun=begun)
    if what == CHAIN:
        for each in linear(sig):
            yield from lost(each, begun=begun)
    elif what == GROUP:
        for each in flat(members(sig)):
            yield from lost(each, begun=begun)
    elif what == CHORD:
        for each in flat(header(sig)):
            yield from lost(each, begun=False)
        if body(sig) is not None:
            yield from lost(body(sig), begun=begun)
    if sig["task"] == KEPT:
        yield from lost_ends(sig["kwargs"], begun=False)  # it is what is kept that arrives
    elif what is None:
        yield from _one(options, begun=begun)


def lost_ends(words: Any, *, begun: bool = True) -> Iterator[Lost]:
    """The last calls of what was kept for a mark with these words."""
    for each in told(words):
        yield from _one(each, begun=begun)


def marks(sig: Any) -> Iterator[Sig]:
    """The marks in a canvas of what the store keeps of it."""
    what = kind(sig)
    for each in as_list(options_of(sig).get("chain")):
        yield from marks(each)
    if sig["task"] == KEPT:
        yield sig
    elif what in (CHAIN, GROUP):
        for each in members(sig):
            yield from marks(each)
    elif what == CHORD and body(sig) is not None:
        yield from marks(body(sig))


def errbacks_of(chain: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The errbacks of the step that would have been next, and of those that would have run beside it."""
    if not chain:
        return
    seen: list[Any] = []
    for sig in _first(chain[-1]):
        fresh = [each for each in as_list(options_of(sig).get("link_error")) if each not in seen]
        seen += fresh
        if fresh:
            yield str(options_of(sig).get("task_id")), fresh


def _first(sig: Any) -> Iterator[Any]:
    """What of a canvas bears the errbacks of its failure: its next step, all of a group, the body of a chord."""
    what = kind(sig)
    inside: Iterable[Any] = ()
    if what == CHAIN:
        inside = linear(sig)[:1]
    elif what == GROUP:
        inside = flat(members(sig))
    elif what == CHORD:
        inside = (each for each in (body(sig), *flat(header(sig))) if each is not None)
    if what != GROUP:
        yield sig
    for each in inside:
        yield from _first(each)


def _one(options: Any, *, begun: bool) -> Iterator[Lost]:
    id_, chord = options.get("task_id"), options.get("chord")
    if not isinstance(id_, str) or not _is_writable(id_):
        return
    if begun and isinstance(chord, dict) and isinstance(options.get("group_id"), str):
        yield Lost(id_, chord, options["group_id"], options.get("group_index"))
    else:
        yield Lost(id_)


def _is_writable(id_: str) -> bool:
    """False for what a store cannot name: nothing waits under such an id."""
    try:
        id_.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
