"""What is to run after a task: callbacks, errbacks and the next step of its chain, as messages.

They leave with the outcome of the run. Their ids follow from the parent's id and their place, where the signature brings
none, so that what runs twice (because a worker died at the wrong moment) sends the same messages, not others.
"""

from __future__ import annotations

import hashlib
import inspect
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from umbel import guise
from umbel.errors import InvalidTaskError
from umbel.execution.einfo import ExceptionInfo
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.messages.options import PARTS
from umbel.messages.write import Step
from umbel.wire.brief import brief
from umbel.wire.message import Embed

log = guise.logger("umbel.trace")


def check(embed: Embed) -> None:
    """Raises InvalidTaskError for what could not be sent after the run: better told before it than after."""
    for place, sigs in (("callbacks", embed.callbacks), ("errbacks", embed.errbacks), ("chain", embed.chain)):
        for sig in sigs or ():
            _check(sig, place)
    if embed.chord is not None:
        raise InvalidTaskError("the task is part of a chord, whose body would never run: umbel counts no chords of Celery's yet")


def _check(sig: Any, place: str) -> None:
    if not isinstance(sig, dict) or not isinstance(sig.get("task"), str):
        raise InvalidTaskError(f"{brief(sig, 100)} among the message's {place} is no signature")
    if sig.get("subtask_type") in {"group", "chain", "chord"}:
        raise InvalidTaskError(f"a {sig['subtask_type']} among the message's {place} cannot be run; only plain signatures can")
    for key, kinds in PARTS:
        if sig.get(key) is not None and not isinstance(sig[key], kinds):
            raise InvalidTaskError(f"the signature of {sig['task']!r} among the message's {place} has wrong {key}")


def after_success(request: Request, value: Any) -> list[Step]:
    """The callbacks, several of them as a group, then the next step of the chain; the value comes first in their arguments."""
    callbacks = request.callbacks or ()
    group = derived_id(request.id or "", "links") if len(callbacks) > 1 else None
    steps = [_step(request, sig, value, f"link:{index}", group, index) for index, sig in enumerate(callbacks)]
    if request.chain:
        *rest, following = request.chain
        steps.append(_step(request, following, value, "chain"))
        steps[-1].options["chain"] = rest
    return steps


def after_failure(request: Request, error: Any, einfo: ExceptionInfo | None, tasks: Mapping[str, Runnable]) -> list[Step]:
    """The errbacks, as a group: each gets the id of the failed task. Those that take the error are called here, where it is."""
    group, steps = derived_id(request.id or "", "link_errors"), list[Step]()
    for place, sig in enumerate(request.errbacks or ()):
        task = tasks.get(sig["task"])
        if task is None or task.is_async or not is_errback_of_the_new_kind(task.entry):
            steps.append(_step(request, sig, request.id, f"link_error:{place}", group, len(steps)))
            continue
        given = () if sig.get("immutable") else (request, error, einfo.traceback if einfo else None)
        try:
            task.entry(*given, *(sig.get("args") or ()), **(sig.get("kwargs") or {}))
        except BaseException as failed:
            if request.is_eager and not isinstance(failed, Exception):
                raise  # it is the program's
            log.exception("Errback %s of %s[%s] failed", task.name, request.task, request.id)
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


def _step(
    request: Request, sig: Mapping[str, Any], value: Any, place: str, group: str | None = None, index: int | None = None
) -> Step:
    args = tuple(sig.get("args") or ())
    options = dict(sig.get("options") or {})
    if group is not None and not options.get("group_id"):
        options.update(group_id=group, group_index=index)
    options["reply_to"] = options.get("reply_to") or request.reply_to
    id_ = options.get("task_id") or derived_id(request.id or "", place)
    return Step(id_, sig["task"], args if sig.get("immutable") else (value, *args), dict(sig.get("kwargs") or {}), options)


def derived_id(parent: str, place: str) -> str:
    """An id that is always the same for the same parent and place."""
    digest = hashlib.blake2b(f"{parent}:{place}".encode(errors="surrogatepass"), digest_size=16, person=b"umbel link").digest()
    return str(uuid.UUID(bytes=digest, version=5))
