"""What was sent, for assertions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from umbel import clock
from umbel.wire import encoding, protocol
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that was sent."""

    task: str
    """The task's name."""
    args: list[Any]
    kwargs: dict[str, Any]
    id: str
    queue: str
    routing_key: str
    exchange: str
    priority: int
    countdown: float | None
    """Seconds from when it was sent until it is due; None: at once."""
    eta: str | None
    expires: str | None
    retries: int
    """How often it was retried before."""
    root_id: str | None
    parent_id: str | None
    """The task that sent it."""
    group_id: str | None
    ignore_result: bool | None
    time_limit: float | None
    soft_time_limit: float | None
    headers: Mapping[str, Any]
    """Custom headers."""
    link: Sequence[Any]
    link_error: Sequence[Any]
    chain: Sequence[Any]
    """The further steps, next first."""

    def __str__(self) -> str:
        words = [*map(brief, self.args), *(f"{name}={brief(value)}" for name, value in self.kwargs.items())]
        more = [f"queue {self.queue}"]
        if self.countdown:
            more.append(f"in {self.countdown:g} s")
        if self.retries:
            more.append(f"retry {self.retries}")
        return f"{self.task}({', '.join(words)})  [{', '.join(more)}]"


def read(envelope: Envelope) -> Sent:
    """The message in an envelope, whatever serializer wrote it."""
    accept = frozenset({*encoding.accept_types(("json", "pickle", "yaml", "msgpack")), envelope.content_type})
    message = protocol.decode(envelope, accept)
    headers, embed = message.headers, message.embed
    hard, soft = headers.timelimit
    return Sent(
        task=headers.task,
        args=list(message.args),
        kwargs=dict(message.kwargs),
        id=headers.id,
        queue=envelope.queue,
        routing_key=envelope.routing_key or envelope.queue,
        exchange=envelope.exchange,
        priority=envelope.priority,
        countdown=None if envelope.due is None else max(envelope.due - clock.now(), 0.0),
        eta=headers.eta,
        expires=headers.expires,
        retries=headers.retries,
        root_id=headers.root_id,
        parent_id=headers.parent_id,
        group_id=headers.group,
        ignore_result=headers.ignore_result,
        time_limit=hard,
        soft_time_limit=soft,
        headers=dict(message.extra),
        link=tuple(embed.callbacks or ()),
        link_error=tuple(embed.errbacks or ()),
        chain=tuple(reversed(embed.chain or ())),
    )


def listed(sent: Iterable[Sent]) -> str:
    """Lines of these, for the message of a test that fails."""
    return "\n".join(f"  {each}" for each in sent) or "  nothing"
