"""A message as Python values: what the client writes and the worker reads. Bytes are made and read in `protocol`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**31 - 1)]
"""Bounds hold when a message is read: what a stranger sends must fit into timers and exponents."""


class Headers(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The headers of message protocol 2, in Celery's order; keys not named here are `Message.extra`."""

    lang: str = "py"
    task: str
    id: str
    shadow: str | None = None
    eta: str | None = None
    expires: str | None = None
    group: str | None = None
    group_index: int | None = None
    retries: Count = 0
    timelimit: tuple[Seconds | None, Seconds | None] = (None, None)
    """(hard, soft), in seconds."""
    root_id: str | None = None
    parent_id: str | None = None
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    origin: str | None = None
    ignore_result: bool | None = None
    replaced_task_nesting: Count = 0
    stamped_headers: list[str] | None = None
    stamps: dict[str, Any] = {}
    compression: str | msgspec.UnsetType = msgspec.UNSET
    redelivered: bool | msgspec.UnsetType = msgspec.UNSET


class Label(msgspec.Struct, gc=False):
    """The few headers by which a worker decides what becomes of a message; the place where it runs reads them all."""

    task: str
    id: str
    shadow: str | None = None
    eta: str | None = None
    expires: str | None = None
    timelimit: tuple[Seconds | None, Seconds | None] = (None, None)
    ignore_result: bool | None = None


class Described(Label, gc=False):
    """A label with what is told of a message besides: to read all at once takes half the time of reading twice."""

    argsrepr: str | None = None
    kwargsrepr: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    retries: int = 0


class Embed(msgspec.Struct, gc=False):
    """What is to happen after the task: signatures as plain dicts; `chain` is reversed, its last element runs next."""

    callbacks: list[Any] | None = None
    errbacks: list[Any] | None = None
    chain: list[Any] | None = None
    chord: Any = None


class Message(msgspec.Struct):
    """One call of one task."""

    headers: Headers
    args: tuple[Any, ...] | list[Any] = ()
    kwargs: dict[str, Any] = {}
    embed: Embed = msgspec.field(default_factory=Embed)
    extra: dict[str, Any] = {}
    """Custom headers; they become attributes of the request."""
