"""What is to run after a task: callbacks, errbacks and the next step of its chain, as messages; and where its end arrives.

They leave with the outcome of the run. Their ids follow from the parent's id and their place, where the signature brings
none, so that what runs twice (because a worker died at the wrong moment) sends the same messages, not others.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from umbel import guise
from umbel.canvas.ids import derived_id
from umbel.canvas.pieces import KEPT
from umbel.canvas.settle import copied, settle
from umbel.canvas.shape import CHORD, NAMES, Sig, body, header, kind, members
from umbel.canvas.unfold import Call, Size, unfold
from umbel.canvas.unreached import Lost, lost, marks
from umbel.errors import InvalidTaskError
from umbel.execution.einfo import ExceptionInfo
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.messages.options import PARTS
from umbel.wire.brief import brief
from umbel.wire.message import Embed
from umbel.wire.parts import written

log = guise.logger("umbel.trace")

JOIN = "umbel.join"
"""The task that is sent once all parts of a chord have arrived: a worker sends the body for it."""
ORDERS = frozenset({JOIN, KEPT})
"""Tasks that workers do themselves, wherever they are."""


class Sent(NamedTuple):
    """What is to be sent, and the sizes of chords that begin with it."""

    steps: list[Call]
    sizes: list[Size]


def check(embed: Embed) -> None:
    """Raises InvalidTaskError for what could not be sent after the run: better told before it than after."""
    for place, sigs in (("callbacks", embed.callbacks), ("errbacks", embed.errbacks), ("chain", embed.chain)):
        for sig in sigs or () if not sigs or len(sigs) < MANY else _doubtful(sigs):
            _check(sig, place)
    if embed.chord is not None:
        _check(embed.chord, "chord")


MANY = 8
"""Signatures from which on it takes less time to have them looked at by msgspec first."""


class _Shape(msgspec.Struct, gc=False):
    """What any signature has."""

    task: str
    args: list[Any] | None = None
    kwargs: dict[Any, Any] | None = None
    options: dict[Any, Any] | None = None
    subtask_type: Any = None


def _doubtful(sigs: list[Any]) -> list[Any]:
    """Those that are to be looked at one by one: none, if all are calls and nothing is wrong with any."""
    try:
        found = msgspec.convert(sigs, list[_Shape])
    except (msgspec.ValidationError, ValueError, RecursionError):
        return sigs
    return [sig for sig, shape in zip(sigs, found, strict=True) if shape.subtask_type is not None or _leads_on(shape.options)]


def _leads_on(options: Any) -> bool:
    """True if more signatures are among the options of a call, which this moves on or arrives at."""
    return bool(options) and ("chain" in options or "chord" in options)


def _check(sig: Any, place: str, depth: int = 0) -> None:
    if not isinstance(sig, dict) or not isinstance(sig.get("task"), str):
        raise InvalidTaskError(f"{brief(sig, 100)} among the message's {place} is no signature")
    for key, kinds in PARTS:
        if sig.get(key) is not None and not isinstance(sig[key], kinds):
            raise InvalidTaskError(f"the signature of {sig['task']!r} among the message's {place} has wrong {key}")
    if depth > DEEPEST:
        raise InvalidTaskError(f"a canvas among the message's {place} is nested more than {DEEPEST} deep")
    if _leads_on(sig.get("options")):
        _check_options(sig, place, depth)
    what = sig.get("subtask_type")
    if what not in NAMES:
        return
    try:
        inside = [*header(sig), body(sig)] if kind(sig) == CHORD else members(sig)
    except (KeyError, TypeError, ValueError):
        raise InvalidTaskError(f"a {what} among the message's {place} has no tasks: {brief(sig, 100)}") from None
    for each in inside:
        if each is not None:
            _check(each, place, depth + 1)


def _check_options(sig: Any, place: str, depth: int) -> None:
    chain, chord = sig["options"].get("chain"), sig["options"].get("chord")
    if chain is not None and not isinstance(chain, (list, tuple)):
        raise InvalidTaskError(
            f"the signature of {sig['task']!r} among the message's {place} has a wrong chain: {brief(chain, 100)}"
        )
    for each in (*(chain or ()), *(() if chord is None else (chord,))):
        _check(each, f"{place}' {'chord' if each is chord else 'chain'}", depth + 1)


DEEPEST = 100
"""Canvases inside canvases: what is nested deeper cannot be meant."""


def after_success(request: Request, value: Any, *, bare: bool = False) -> Sent:
    """The callbacks, several of them as a group, then the next step of the chain; the value comes first in their arguments.

    `bare`: without the rest of the chain, which somebody else adds.
    """
    callbacks = request.callbacks or ()
    group = derived_id(request.id or "", "links") if len(callbacks) > 1 else None
    sent = Sent([], [])
    for index, sig in enumerate(callbacks):
        _unfold(sent, request, sig, value, f"link:{index}", group, index)
    if request.chain:
        *rest, following = request.chain
        _unfold(sent, request, following, value, "chain", rest=[] if bare else rest)
    return sent


def after_failure(request: Request, error: Any, einfo: ExceptionInfo | None, tasks: Mapping[str, Runnable]) -> Sent:
    """The errbacks, as a group: each gets the id of the failed task. Those that take the error are called here, where it is."""
    traceback = einfo.traceback if einfo else None
    group, index = derived_id(request.id or "", "link_errors"), 0
    sent = Sent([], [])
    for place, sig in enumerate(request.errbacks or ()):
        task = tasks.get(sig["task"])
        if task is None or task.is_async or kind(sig) is not None or not is_errback_of_the_new_kind(task.entry):
            _unfold(sent, request, sig, request.id, f"link_error:{place}", group, index)
            index += 1
            continue
        given = () if sig.get("immutable") else (request, error, traceback)
        try:
            task.entry(*given, *(sig.get("args") or ()), **(sig.get("kwargs") or {}))
        except BaseException as failed:
            if request.is_eager and not isinstance(failed, Exception):
                raise  # it is the program's
            log.exception("Errback %s of %s[%s] failed", task.name, request.task, request.id)
    return sent


def after_loss(request: Request, state: str, error: Any) -> list[Call]:
    """What tells that steps are never reached which the store keeps."""
    steps = []
    for mark in (each for sig in request.chain or () for each in marks(sig)):
        words = {**mark["kwargs"], "lost": written(request.id or "", state, error, "json").decode()}
        id_ = derived_id(request.id or "", f"lost:{mark['kwargs']['id']}")
        steps.append(_order(request, id_, KEPT, words))
    return steps


def is_errback_of_the_new_kind(function: Callable[..., Any]) -> bool:
    """True if it wants (request, exception, traceback) rather than the failed task's id.

    As Celery has it, a function does that can be called with more than one value; a method, of a class or of a task that is
    `bind=True`, takes the id if it can.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if inspect.ismethod(function):
        return sum(p.default is p.empty for p in places) > 1
    return len(places) > 1 or any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _unfold(
    sent: Sent,
    request: Request,
    sig: Sig,
    value: Any,
    place: str,
    group: str | None = None,
    index: int | None = None,
    *,
    rest: list[Any] | None = None,
) -> None:
    """Add what of a signature can begin once there is a value."""
    plain = kind(sig) is None
    if plain:
        sig = {**sig, "options": dict(sig.get("options") or {})}
        if group is not None and not sig["options"].get("group_id"):
            sig["options"].update(group_id=group, group_index=index)
    else:
        sig = copied(sig)
    settle(sig, ids(request, place))
    options: dict[str, Any] = {} if rest is None else {"chain": rest}
    for each in unfold(sig, (value,), {}, options):
        if isinstance(each, Size):
            sent.sizes.append(each)
        elif each.task == KEPT:  # a mark becomes an order
            words = {**each.kwargs, "value": each.args[0]}
            sent.steps.append(_order(request, each.options["task_id"], KEPT, words))
        else:
            each.options["reply_to"] = each.options.get("reply_to") or request.reply_to
            sent.steps.append(each)


def ids(request: Request, place: str) -> Callable[[], str]:
    """Gives ids that follow from the run and the place."""
    numbers = itertools.count()

    def new_id() -> str:
        number = next(numbers)
        return derived_id(request.id or "", f"{place}.{number}" if number else place)

    return new_id


def _order(request: Request, id_: str, task: str, kwargs: dict[str, Any]) -> Call:
    """A message for a worker itself: it goes where the task was, since there somebody serves it."""
    envelope = request.envelope
    options: dict[str, Any] = {"task_id": id_}
    if envelope is not None:
        options |= {"queue": envelope.queue, "priority": envelope.priority, "ignore_result": True}
    return Call(task, (), kwargs, options)


def order_to_fire(request: Request, chord: str, last: Any) -> Call:
    """The message that has the body of a chord sent; the same from whichever part it comes."""
    return _order(request, derived_id(chord, "join"), JOIN, {"chord": chord, "body": last})


def arrived(request: Request, *, failed: bool) -> Iterator[Lost]:
    """The chords at which this end arrives: that of the task, and if it failed, those of the steps that it was to lead to."""
    if request.chord is not None and isinstance(request.group, str):
        yield Lost(request.id or "", request.chord, request.group, request.group_index)
    if failed:
        for sig in reversed(request.chain or ()):
            yield from (each for each in lost(sig) if each.chord is not None)


def never_reached(request: Request) -> list[str]:
    """The ids of all steps that were to follow, next first: who waits for the end waits for one of these."""
    return [each.id for sig in reversed(request.chain or ()) for each in lost(sig)]
