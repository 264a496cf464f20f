"""What arrives of each part of a chord, as Celery keeps it: `[1, task_id, state, value]`; and what they come to together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from umbel import states
from umbel.errors import ChordError, DecodeError, EncodeError
from umbel.wire import encoding
from umbel.wire.brief import brief
from umbel.wire.failure import exception_in, exception_out


class Part(NamedTuple):
    """How one part ended."""

    id: str
    state: str
    value: Any
    """What it gave; of one that failed the exception, rebuilt."""


def written(id_: str, state: str, value: Any, serializer: str) -> bytes:
    """The part as bytes. Raises EncodeError if the value cannot be written."""
    if isinstance(value, BaseException):
        value = exception_out(value, serializer)
    elif hasattr(type(value), "as_tuple"):
        value = value.as_tuple()
    return encoding.dumps([1, id_, state, value], serializer)[2]


def spoiled(id_: str, reason: str, serializer: str = "json") -> bytes:
    """A part whose end cannot be kept as it was: it counts as failed."""
    return written(id_, states.FAILURE, EncodeError(reason), serializer)


def read(raw: bytes, serializer: str, accept: frozenset[str]) -> Part:
    """The part that bytes are, umbel's or Celery's. Raises DecodeError if they are none."""
    found = encoding.loads(raw, *encoding.content_type(serializer), accept)
    if not (isinstance(found, (list, tuple)) and len(found) == 4 and isinstance(found[1], str) and isinstance(found[2], str)):
        raise DecodeError(f"{brief(raw, 200)} is no part of a chord")
    _, id_, state, value = found
    if state in states.EXCEPTION_STATES and isinstance(value, Mapping) and isinstance(value.get("exc_type"), str):
        value = exception_in(dict(value))
    return Part(id_, state, value)


def failure(parts: Sequence[Part]) -> ChordError | None:
    """Why the body of a chord with these parts cannot run; None if it can."""
    for part in parts:
        if part.state != states.SUCCESS:
            return ChordError(f"Dependency {part.id} raised {brief(part.value, 1000)}")
    return None


def values(parts: Sequence[Part], group: Any = None) -> list[Any]:
    """What the parts gave, in their order; or in that of the members of a saved group (a result tuple), nested as they are."""
    if group is None:
        return [part.value for part in parts]
    known = {part.id: part.value for part in parts}

    def of(member: Any) -> Any:
        (id_, _), children = member
        return known.get(id_) if children is None else [of(each) for each in children]

    return [of(each) for each in group[1]]
