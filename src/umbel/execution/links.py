"""What is to run after a task: callbacks, errbacks and the next step of its chain, as messages.

They leave with the outcome of the run. Their ids follow from the parent's id and their place, where the signature brings
none, so that what runs twice (because a worker died at the wrong moment) sends the same messages, not others.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from umbel.errors import InvalidTaskError
from umbel.execution import when
from umbel.execution.announce import written_in_run
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message


@dataclass(slots=True)
class Step:
    """One call that follows, with its arguments complete."""

    id: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    chain: list[Any] | None = None
    """What follows after it, last first."""


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
    for key, kinds in _PARTS:
        if sig.get(key) is not None and not isinstance(sig[key], kinds):
            raise InvalidTaskError(f"the signature of {sig['task']!r} among the message's {place} has wrong {key}")


_PARTS: tuple[tuple[str, tuple[type, ...]], ...] = (("args", (list, tuple)), ("kwargs", (dict,)), ("options", (dict,)))


def after_success(request: Request, value: Any) -> list[Step]:
    """The callbacks, then the next step of the chain; the value comes first among their arguments."""
    steps = [_step(request, sig, value, f"link:{index}") for index, sig in enumerate(request.callbacks or ())]
    if request.chain:
        *rest, following = request.chain
        steps.append(_step(request, following, value, "chain", chain=rest))
    return steps


def errback(request: Request, index: int) -> Step:
    """The call of one errback as a message: it gets the id of the failed task."""
    return _step(request, (request.errbacks or ())[index], request.id, f"link_error:{index}")


def never_reached(request: Request) -> list[str]:
    """The ids of the chain's further steps, which nobody will ever run now; next first."""
    ids = ((sig.get("options") or {}).get("task_id") for sig in reversed(request.chain or ()))
    return [id_ for id_ in ids if isinstance(id_, str)]


def _step(request: Request, sig: Mapping[str, Any], value: Any, place: str, *, chain: list[Any] | None = None) -> Step:
    args = list(sig.get("args") or ())
    options = dict(sig.get("options") or {})
    id_ = options.get("task_id") or derived_id(request.id or "", place)
    return Step(id_, sig["task"], args if sig.get("immutable") else [value, *args], dict(sig.get("kwargs") or {}), options, chain)


def derived_id(parent: str, place: str) -> str:
    """An id that is always the same for the same parent and place."""
    digest = hashlib.blake2b(f"{parent}:{place}".encode(errors="surrogatepass"), digest_size=16, person=b"umbel link").digest()
    return str(uuid.UUID(bytes=digest, version=5))


def envelope_of(
    step: Step, request: Request, task: Runnable | None, *, route: Callable[[str, dict[str, Any]], str] | None, queue: str
) -> Envelope:
    """The message of a step; `task` is what is known of it here, `route` names its queue where its options do not."""
    options = step.options
    iso, due = when.start(options.get("eta"), options.get("countdown"))
    wanted = options.get("queue")
    if wanted is None:
        wanted = route(step.task, options) if route else queue
    embed = Embed(_listed(options.get("link")), _listed(options.get("link_error")), step.chain, options.get("chord"))
    message = Message(_headers(step, request, task, iso), step.args, step.kwargs, embed, dict(options.get("headers") or {}))
    address: dict[str, Any] = {
        "queue": str(getattr(wanted, "name", wanted)),
        "serializer": options.get("serializer") or (task.serializer if task else None) or "json",
        "compression": options.get("compression") or (task.compression if task else None),
        "priority": options.get("priority") or 0,
        "due": due,
        "exchange": options.get("exchange") or "",
        "routing_key": options.get("routing_key") or "",
        "reply_to": options.get("reply_to") or request.reply_to or "",
        "properties": {},
    }
    return written_in_run(message, address)


def _headers(step: Step, request: Request, task: Runnable | None, eta: str | None) -> Headers:
    options = step.options
    ignored = options.get("ignore_result")
    return Headers(
        task=step.task,
        id=step.id,
        shadow=options.get("shadow"),
        eta=eta,
        expires=when.expiry(options.get("expires")),
        group=options.get("group_id"),
        group_index=options.get("group_index"),
        timelimit=(options.get("time_limit"), options.get("soft_time_limit")),
        root_id=request.root_id or request.id,
        parent_id=request.id,
        ignore_result=task.ignore_result if ignored is None and task else ignored,
        replaced_task_nesting=options.get("replaced_task_nesting") or 0,
        stamped_headers=options.get("stamped_headers"),
        stamps={name: options[name] for name in options.get("stamped_headers") or () if name in options},
    )


def _listed(link: Any) -> list[Any] | None:
    return link if link is None or isinstance(link, list) else [link]
