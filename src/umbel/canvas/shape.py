"""Shapes of signatures, which are dicts as they travel: one call, or several composed.

task    {"task", "args", "kwargs", "options", "subtask_type": null, "immutable"}
chain   kwargs {"tasks": [...]}                       one after the other, each with the value of the one before
group   kwargs {"tasks": [...]}                       side by side
chord   kwargs {"header": group or [...], "body"}     side by side, then the body with all their values
chunks  kwargs {"task", "it", "n"}                    a group of `celery.starmap`, each for `n` lists of arguments
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Sig = dict[str, Any]

CHAIN, GROUP, CHORD = "chain", "group", "chord"
CHUNKS, STARMAP, ACCUMULATE = "celery.chunks", "celery.starmap", "celery.accumulate"
HELD = frozenset({"group_id", "stamped_headers"})
"""Options of a signature that a later call does not replace."""
NAMES = {CHAIN: "celery.chain", GROUP: "celery.group", CHORD: "celery.chord"}


def kind(sig: Mapping[str, Any]) -> str | None:
    """CHAIN, GROUP or CHORD; None of a single call."""
    found = sig.get("subtask_type")
    if found is None and sig["task"] == CHUNKS:
        return GROUP
    return found if found in NAMES else None


def made(name: str, kwargs: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> Sig:
    """A composed signature."""
    return {
        "task": NAMES[name],
        "args": [],
        "kwargs": dict(kwargs),
        "options": dict(options or {}),
        "subtask_type": name,
        "immutable": False,
    }


def options_of(sig: Mapping[str, Any]) -> dict[str, Any]:
    """Its options, which may be missing."""
    return sig.get("options") or {}


def members(sig: Mapping[str, Any]) -> Sequence[Any]:
    """What a chain, a group or chunks hold, as it was given."""
    kwargs = sig["kwargs"]
    if sig["task"] == CHUNKS:
        return list(chunked(kwargs["task"], kwargs["it"], kwargs["n"]))
    found = kwargs["tasks"]
    return found if isinstance(found, (list, tuple)) else list(found)


def chunked(task: Sig, lists: Iterable[Any], size: int) -> Iterator[Sig]:
    """The calls that run a task for `size` lists of arguments each."""
    part: list[Any] = []
    for each in lists:
        part.append(each)
        if len(part) == size:
            yield _starmap(task, part)
            part = []
    if part:
        yield _starmap(task, part)


def _starmap(task: Sig, part: list[Any]) -> Sig:
    return {
        "task": STARMAP,
        "args": [],
        "kwargs": {"task": task, "it": part},
        "options": {},
        "subtask_type": None,
        "immutable": True,
    }


def header(sig: Mapping[str, Any]) -> Sequence[Any]:
    """What stands before the body of a chord: a list of signatures, or the members of a group."""
    found = sig["kwargs"]["header"]
    if isinstance(found, Mapping):
        return members(found) if kind(found) == GROUP else [found]
    return found if isinstance(found, (list, tuple)) else list(found)


def body(sig: Mapping[str, Any]) -> Any:
    """What follows the header of a chord."""
    return sig["kwargs"].get("body")


def inside(sig: Mapping[str, Any]) -> Iterator[Any]:
    """The signatures that one is made of: none of a single call."""
    what = kind(sig)
    if what in (CHAIN, GROUP):
        yield from members(sig)
    elif what == CHORD:
        front, behind = sig["kwargs"]["header"], body(sig)
        yield from [front] if isinstance(front, Mapping) else front
        if behind is not None:
            yield behind


def flat(signatures: Iterable[Any]) -> Iterator[Any]:
    """Members of a group, with those of the groups among them in their places; what such a group says holds for its members."""
    for each in signatures:
        if kind(each) == GROUP:
            for inner in flat(members(each)):
                yield _under(each, inner)
        else:
            yield each


_ONLY_OF_GROUPS = frozenset({"task_id", "group_id", "group_index", "chord", "root_id", "parent_id", "reply_to"})


def _under(group: Any, member: Any) -> Any:
    """A member of a group that has options of its own, or the member itself if it has none."""
    said = {key: value for key, value in options_of(group).items() if key not in _ONLY_OF_GROUPS}
    if not said:
        return member
    return {**member, "options": {**said, **options_of(member)}}


def linear(sig: Mapping[str, Any]) -> list[Any]:
    """The steps of a chain: chains among them unrolled, empty groups left out, what follows a group made the body of a chord.

    The single calls among them are those of the chain, not copies. Twice gives the same.
    """
    steps: list[Any] = []
    for each in _unrolled(members(sig)):
        if steps and kind(steps[-1]) == GROUP:
            upgraded = steps.pop()
            of_group = options_of(upgraded)
            id_ = {"task_id": of_group["task_id"]} if of_group.get("task_id") else {}
            steps.append(made(CHORD, {"header": upgraded, "body": each}, id_))
        else:
            steps.append(each)
        steps[-1:] = _split(steps[-1])
    return steps


def _unrolled(signatures: Iterable[Any]) -> Iterator[Any]:
    for each in signatures:
        what = kind(each)
        if what == CHAIN and not (options_of(each).keys() - {"task_id", "link", "link_error"}):
            inner = linear(each)
            yield from linked(inner, options_of(each))
        elif what == GROUP and each["task"] != CHUNKS:
            inside = members(each)
            if len(inside) == 1 and kind(inside[0]) != GROUP:
                yield from _unrolled(inside)
            elif inside:
                yield each
        else:
            yield each


def linked(steps: list[Any], said: Mapping[str, Any]) -> list[Any]:
    """Steps of a chain that has callbacks of its own: they follow its last step, and errbacks any."""
    link, errbacks = said.get("link"), said.get("link_error")
    if not (link or errbacks) or not steps:
        return steps
    steps = [with_links(each, link_error=errbacks) if errbacks else each for each in steps]
    if link:
        steps[-1] = with_links(steps[-1], link=link)
    return steps


def with_links(sig: Any, **links: Any) -> Any:
    """A copy with further callbacks or errbacks, which hang on what is last in it."""
    what = kind(sig)
    if what == CHORD:
        return {**sig, "kwargs": {**sig["kwargs"], "body": with_links(body(sig), **links)}}
    if what == GROUP:
        inside = list(members(sig))
        if "link" in links:
            inside = [with_links(each, **links) if place == 0 else each for place, each in enumerate(inside)]
        else:
            inside = [with_links(each, **links) for each in inside]
        return made(GROUP, {"tasks": inside}, options_of(sig))
    options = dict(options_of(sig))
    for key, more in links.items():
        there = as_list(options.get(key))
        options[key] = [*there, *(each for each in as_list(more) if each not in there)]
    return {**sig, "options": options}


def as_list(found: Any) -> list[Any]:
    """One signature, several or none as a list."""
    if not found:
        return []
    return [found] if isinstance(found, Mapping) or not isinstance(found, Iterable) else list(found)


def _split(step: Any) -> list[Any]:
    """A chord whose body is a chain as a chord of its first step, and the others behind it: so no message holds them twice."""
    if kind(step) != CHORD or body(step) is None or kind(body(step)) != CHAIN:
        return [step]
    inner = body(step)
    first, *rest = linked(linear(inner), options_of(inner)) or [None]
    if first is None:
        return [step]
    return [{**step, "kwargs": {**step["kwargs"], "body": first}}, *rest]


def leaves(sig: Any) -> int:
    """How many parts of a chord it is: a chain counts once, as its end does, a chord as its body, a group as its members."""
    return sum(leaves(each) for each in members(sig)) if kind(sig) == GROUP else 1
