"""The request: what a task can know of the call that it serves (`self.request`), and which one is served here and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

import msgspec

from umbel import log
from umbel.stores.join import Arrival
from umbel.wire.envelope import Envelope
from umbel.wire.message import Message

if TYPE_CHECKING:  # all that results need is loaded where there is one
    from umbel.wire.result import Result


class Request:
    """One call of one task, as its code sees it; what the message does not say has the default given here.

    Custom message headers are attributes too. Made from a message by `from_message`, or by keywords.
    """

    id: str | None = None
    task: str | None = None
    """The task's registered name."""
    args: Any = None
    kwargs: Any = None
    root_id: str | None = None
    parent_id: str | None = None
    group: str | None = None
    group_index: int | None = None
    retries: int = 0
    is_eager: bool = False
    called_directly: bool = True
    """True if the task runs because someone called it like a function."""
    eta: str | None = None
    expires: str | None = None
    hostname: str | None = None
    """The worker's node name."""
    logfile: str | None = None
    loglevel: int | None = None
    lang: str | None = None
    origin: str | None = None
    shadow: str | None = None
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    timelimit: Any = (None, None)
    """(hard, soft), in seconds."""
    ignore_result: bool | None = None
    replaced_task_nesting: int = 0
    stamped_headers: list[str] | None = None
    stamps: Any = None
    callbacks: list[Any] | None = None
    errbacks: list[Any] | None = None
    chain: list[Any] | None = None
    chord: Any = None
    taskset: str | None = None
    utc: bool | None = None
    headers: Any = None
    """The custom headers alone."""
    delivery_info: Any = None
    """`exchange`, `routing_key`, `priority` and `redelivered`, as the message was sent and handed out."""
    properties: Any = None
    correlation_id: str | None = None
    reply_to: str | None = None
    attempt: int = 1
    """The how-manieth hand-out of this message it is; more than 1 after a worker died with it."""

    children: list[Any]
    """Results of what this run has sent, as `AsyncResult.as_tuple()` gives them."""
    follow_ups: list[Envelope]
    """Messages that leave together with the outcome of this run."""
    grown: Sequence[Arrival] = ()
    """By what this run has made the chord grow that it is a part of."""
    sizes: Sequence[Any] = ()
    """Of chords that begin with `follow_ups`."""
    events: Sequence[Any] = ()
    """What stands in the place of an eager call, and begins at its end."""
    is_replaced: bool = False
    """True if another call stands in the place of this one, under its id."""
    again: Sequence[Envelope] = ()
    """The retry among `follow_ups`, once the task has asked for one."""
    envelope: Envelope | None = None
    """The message as it came; None for a call that none stands behind."""
    decided: Sequence[Result] = ()
    """What will be stored of it, once its run has ended: its hooks and receivers read it as if it was there."""
    owner: Any = None
    """The task itself."""
    outer: Request | Sealed | None = None
    """What was served when this one began: a task that calls another like a function."""

    def __init__(self, **fields: Any):
        self.children = []
        self.follow_ups = []
        self.__dict__.update(fields)

    @classmethod
    def from_message(cls, message: Message, envelope: Envelope, owner: Any, *, hostname: str, attempt: int = 1) -> Request:
        """The request of a message that a worker has received."""
        request: Request = cls.__new__(cls)
        headers, embed, extra = message.headers, message.embed, message.extra
        # One dict made in C instead of twenty assignments: this runs for every task.
        request.__dict__ = fields = msgspec.structs.asdict(headers)
        del fields["compression"], fields["redelivered"]
        fields["args"] = message.args
        fields["kwargs"] = message.kwargs
        fields["callbacks"] = embed.callbacks
        fields["errbacks"] = embed.errbacks
        fields["chain"] = embed.chain
        fields["chord"] = embed.chord
        fields["headers"] = flat(extra) if extra else None
        fields["hostname"] = hostname
        fields["attempt"] = attempt
        fields["called_directly"] = False
        fields["reply_to"] = envelope.reply_to
        fields["properties"] = envelope.properties
        fields["correlation_id"] = envelope.properties.get("correlation_id", envelope.id)
        fields["delivery_info"] = {
            "exchange": envelope.exchange,
            "routing_key": envelope.routing_key or envelope.queue,
            "priority": envelope.priority,
            "redelivered": attempt > 1 or headers.redelivered is True,
        }
        fields["envelope"] = envelope
        fields["owner"] = owner
        fields["children"] = []
        fields["follow_ups"] = []
        if extra:  # a custom header is an attribute unless it would hide one of ours
            fields.update((name, value) for name, value in extra.items() if name not in fields and name not in OWN)
        return request

    @property
    def time_limit(self) -> float | None:
        """The hard limit in seconds that came with the message."""
        return self.timelimit[0] if self.timelimit else None

    @property
    def soft_time_limit(self) -> float | None:
        """The soft limit in seconds that came with the message."""
        return self.timelimit[1] if self.timelimit else None

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute called `name`, or `default`."""
        return getattr(self, name, default)

    def update(self, *fields: Any, **more: Any) -> None:
        """Set attributes, given as `dict.update` takes them."""
        self.__dict__.update(*fields, **more)

    def as_execution_options(self) -> dict[str, Any]:
        """The options with which `apply_async` would send this call once more."""
        return {
            "task_id": self.id,
            "root_id": self.root_id,
            "parent_id": self.parent_id,
            "group_id": self.group,
            "group_index": self.group_index,
            "shadow": self.shadow,
            "chord": self.chord,
            "chain": self.chain,
            "link": self.callbacks,
            "link_error": self.errbacks,
            "expires": self.expires,
            "time_limit": self.time_limit,
            "soft_time_limit": self.soft_time_limit,
            "headers": self.headers,
            "retries": self.retries,
            "reply_to": self.reply_to,
            "replaced_task_nesting": self.replaced_task_nesting,
            "origin": self.origin,
        }

    def __repr__(self) -> str:
        return f"<Request: {self.task}[{self.id}] retries={self.retries}>"


def flat(headers: dict[str, Any]) -> dict[str, Any]:
    """Custom headers, with those merged in that stand among them under the name `headers`, as tracing tools put them."""
    nested = headers.get("headers")
    if not isinstance(nested, Mapping):
        return headers
    return {**{name: value for name, value in headers.items() if name != "headers"}, **nested}


OWN = frozenset(dir(Request)) | {"children", "follow_ups"}
"""What no custom header may hide."""


class Sealed(msgspec.Struct):
    """The request of a message as long as nobody looks at it, as most tasks never do: to fill it takes as long as to run them."""

    message: Message
    envelope: Envelope
    owner: Any
    hostname: str
    attempt: int
    outer: Request | Sealed | None = None
    opened: Request | None = None

    def open(self) -> Request:
        """The request; the same each time."""
        request = self.opened
        if request is None:
            message, envelope, owner = self.message, self.envelope, self.owner
            made = Request.from_message(message, envelope, owner, hostname=self.hostname, attempt=self.attempt)
            made.outer = self.outer
            request = self.opened = self.opened or made  # a thread of the task may have looked meanwhile
        return request


current: ContextVar[Request | Sealed | None] = ContextVar("umbel_request", default=None)
"""What is served in this thread or asyncio task; what is around it hangs on its `outer`."""


def push(request: Request) -> Token[Request | Sealed | None]:
    """Make `request` the current one, inside what is current now; undone by `current.reset`."""
    request.outer = current.get()
    return current.set(request)


def opened(request: Request | Sealed) -> Request:
    """The request itself."""
    return request.open() if isinstance(request, Sealed) else request


def served() -> Request | None:
    """The request that is served here and now, if any."""
    request = current.get()
    return None if request is None else opened(request)


def find(owner: object) -> Request | None:
    """The innermost request that the task `owner` serves here and now, if any."""
    request = current.get()
    while request is not None and request.owner is not owner:
        request = request.outer
    return None if request is None else opened(request)


def decided(id: str) -> Result | None:
    """What will be stored of the task with this id, if its run has ended here and now, and is about to be told of."""
    here = current.get()
    if type(here) is Sealed:
        here = here.opened
    while here is not None:
        for result in getattr(here, "decided", ()):
            if result.id == id:
                return result  # type: ignore[no-any-return]  # `getattr` gives anything
        here = here.outer
    return None


def _running() -> tuple[str, str] | None:
    request = served()
    if request is None or request.id is None:
        return None
    return request.task or "???", request.id


log.current_task_of = _running
