"""What of a canvas is to be sent now: the calls that can begin, each with all that follows from it.

`chain` of a call's options is what comes after it, reversed, the next step last; `chord` the body of the chord whose part it is,
with `group_id` and `group_index`. So a run's end knows what to do without anybody's help.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from umbel.canvas.settle import gathered
from umbel.canvas.shape import (
    CHAIN,
    CHORD,
    GROUP,
    HELD,
    Sig,
    as_list,
    body,
    flat,
    header,
    kind,
    leaves,
    linear,
    linked,
    made,
    members,
    options_of,
    with_links,
)


class Place(msgspec.Struct, frozen=True):
    """Of which group or chord a call is a part."""

    group_id: str | None = None
    index: int | None = None
    chord: Sig | None = None
    """The body of the chord; None of a mere group."""


NOWHERE = Place()


class Call(msgspec.Struct):
    """One message to be sent."""

    task: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: dict[str, Any]
    """Those of `apply_async`, the id of the task among them."""


class Size(NamedTuple):
    """So many parts a chord has; told before its last part is sent."""

    chord: str
    parts: int


Event: TypeAlias = Call | Size


class Keep(Protocol):
    """Leaves elsewhere what is too much for each message."""

    def rest(self, following: list[Any]) -> list[Any]:
        """What of the rest of a chain (reversed) messages are to carry."""

    def body(self, last: Any, parts: int) -> Any:
        """What of the body of a chord its parts are to carry."""


_OF_HEADER = frozenset({"countdown", "eta"})
_OF_BODY = frozenset({"task_id", "link", "link_error", "chain", "chord", "group_id", "group_index"})


def merged(
    sig: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]]:
    """Arguments of a signature with those given before its own, keyword arguments and options over its own."""
    said = options_of(sig)
    held = HELD.union(said.get("stamped_headers") or ())
    chosen = over(said, {key: value for key, value in options.items() if key not in held or key not in said})
    if sig.get("immutable"):
        return sig.get("args") or (), sig.get("kwargs") or {}, chosen
    own = sig.get("args") or ()
    return (*args, *own) if args else own, {**(sig.get("kwargs") or {}), **kwargs} if kwargs else sig.get("kwargs") or {}, chosen


def over(said: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options over those of a signature; what follows it comes before what follows them."""
    chosen = {**said, **options}
    if said.get("chain"):
        chosen["chain"] = [*(options.get("chain") or ()), *said["chain"]]
    return chosen


def unfold(
    sig: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    place: Place = NOWHERE,
    keep: Keep | None = None,
) -> Iterator[Event]:
    """The calls of a settled canvas that can begin, and the sizes of chords that begin with them; told as it is asked for."""
    what = kind(sig)
    kwargs, options = kwargs or {}, options or {}
    said = options_of(sig)
    if what is not None and sig.get("args") and not sig.get("immutable"):
        args = (*args, *sig["args"])
    if what is None:
        yield _single(sig, args, kwargs, options, place)
    elif what == CHAIN:
        yield from _chain(sig, args, kwargs, over(said, options), place, keep)
    elif what == GROUP:
        yield from _group(sig, args, kwargs, over(said, options), place, keep)
    else:
        yield from _chord(sig, args, kwargs, over(said, options), place, keep)


def _single(sig: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], place: Place) -> Call:
    args, kwargs, chosen = merged(sig, args, kwargs, options)
    if options_of(sig).get("task_id"):
        chosen["task_id"] = sig["options"]["task_id"]
    _add_links(chosen, sig, options)
    if place.group_id is not None:
        chosen["group_id"] = place.group_id
    if place.index is not None:
        chosen["group_index"] = place.index
    if place.chord is not None:
        chosen["chord"] = place.chord
    return Call(sig["task"], args, kwargs, chosen)


def _add_links(chosen: dict[str, Any], sig: Any, options: Mapping[str, Any]) -> None:
    """Callbacks of a call come to those that its signature has."""
    said = options_of(sig)
    for key in ("link", "link_error"):
        if said.get(key) and options.get(key) and options[key] is not said[key]:
            there = as_list(said[key])
            chosen[key] = [*there, *(each for each in as_list(options[key]) if each not in there)]


_ONLY_OF_CHAIN = frozenset({"task_id", "chord", "group_id", "group_index", "link", "link_error", "chain"})


def _chain(
    sig: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], place: Place, keep: Keep | None
) -> Iterator[Event]:
    steps = linear(sig)
    if not steps:
        return
    outer = list(options.get("chain") or ())
    links = {key: options[key] for key in ("link", "link_error") if options.get(key)}
    given = {key: value for key, value in options.items() if key not in _ONLY_OF_CHAIN}
    steps = linked(steps, links)
    if place is not NOWHERE and not outer and len(steps) > 1:
        steps[-1] = placed(steps[-1], place)
    first, *rest = steps
    following = [*outer, *reversed(rest)]
    if keep is not None and len(following) > 1:
        following = keep.rest(following)
    given["chain"] = following
    yield from unfold(first, args, kwargs, given, place if not following else NOWHERE, keep)


def placed(sig: Any, place: Place) -> Any:
    """A copy whose end is a part of a group or chord."""
    what = kind(sig)
    if what == GROUP and place.chord is not None:
        return placed(gathered(sig), place)
    if what == GROUP:
        said = {**options_of(sig), "group_id": place.group_id}
        return made(GROUP, {"tasks": [placed(each, Place(place.group_id)) for each in members(sig)]}, said)
    if what == CHORD:
        return {**sig, "kwargs": {**sig["kwargs"], "body": placed(body(sig), place)}}
    if what == CHAIN:
        steps = linear(sig)
        if not steps:
            return sig
        *front, last = steps
        return made(CHAIN, {"tasks": [*front, placed(last, place)]}, options_of(sig))
    options = dict(options_of(sig))
    if place.chord is None and options.get("group_id") is not None:  # a part of something already
        return sig
    chosen = {"group_id": place.group_id, "group_index": place.index, "chord": place.chord}
    options.update({key: value for key, value in chosen.items() if value is not None})
    return {**sig, "options": options}


_ONLY_OF_GROUP = frozenset({"task_id", "chord", "group_id", "group_index", "link", "link_error", "chain", "root_id", "parent_id"})


def _group(
    sig: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], place: Place, keep: Keep | None
) -> Iterator[Event]:
    if options.get("chain"):
        *rest, following = options["chain"]
        upgraded = made(CHORD, {"header": sig, "body": following}, {"task_id": options.get("task_id")})
        said = {key: value for key, value in options.items() if key not in _ONLY_OF_GROUP}
        yield from unfold(upgraded, args, kwargs, {**said, "chain": rest}, place, keep)
        return
    if place.chord is not None:
        yield from unfold(gathered(sig), args, kwargs, {k: v for k, v in options.items() if k not in _ONLY_OF_GROUP}, place, keep)
        return
    given = {key: value for key, value in options.items() if key not in _ONLY_OF_GROUP}
    root = {key: options[key] for key in ("root_id", "parent_id") if options.get(key)}
    # Where Celery's clients put a group at the end of a part of a chord, its members are parts themselves, and say so.
    is_spread = options_of(sig).get("chord") is not None
    for index, each in enumerate(flat(members(sig))):
        where = NOWHERE if is_spread else Place(options.get("task_id"), index)
        yield from unfold(each, args, kwargs, {**given, **root}, where, keep)


def _chord(
    sig: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], place: Place, keep: Keep | None
) -> Iterator[Event]:
    id_ = options["task_id"]
    parts, behind = list(flat(header(sig))), body(sig)
    of_all = {key: value for key, value in options.items() if key not in _OF_BODY and key not in ("root_id", "parent_id")}
    root = {key: options[key] for key in ("root_id", "parent_id") if options.get(key)}
    inner = options_of(sig["kwargs"]["header"]) if isinstance(sig["kwargs"]["header"], Mapping) else {}
    given = {**{key: value for key, value in inner.items() if key not in _ONLY_OF_GROUP}, **of_all, **root}
    if behind is not None:
        last = ended(behind, id_, options, place, {key: value for key, value in of_all.items() if key not in _OF_HEADER})
        if not parts:
            yield from unfold(last, ([],), {}, root, NOWHERE, keep)
            return
        if keep is not None:
            last = keep.body(last, len(parts))
        yield Size(id_, sum(leaves(each) for each in parts))
    else:
        last = None
    for index, each in enumerate(parts):
        yield from unfold(each, args, kwargs, given, Place(id_, index, last), keep)


def ended(behind: Any, chord: str, options: Mapping[str, Any], place: Place, said: Mapping[str, Any]) -> Any:
    """The body of a chord with what was said of the chord as a whole: what follows it, and of what it is a part."""
    found = behind
    links = {key: options[key] for key in ("link", "link_error") if options.get(key)}
    if links:
        found = with_links(found, **links)
    following = list(options.get("chain") or ())
    if place is not NOWHERE and not following:
        found = placed(found, place)
    elif options_of(found).get("group_id") is None:
        found = placed(found, Place(chord))
    chosen = {**options_of(found), **{key: value for key, value in said.items() if key not in options_of(found)}}
    if following:
        chosen["chain"] = [*following, *(chosen.get("chain") or ())]
    return {**found, "options": chosen}
