"""Tells those who listen of a message that is about to leave; they may change its headers and arguments before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from umbel.signals import after_task_publish, before_task_publish
from umbel.wire import protocol
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope
from umbel.wire.message import Headers, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIELDS = frozenset(Headers.__struct_fields__)


def is_watched() -> bool:
    """True if someone is told of what is sent."""
    return bool(before_task_publish.receivers or after_task_publish.receivers)


def written(
    message: Message, address: dict[str, Any], policy: Mapping[str, Any] | None = None
) -> tuple[Envelope, Callable[[], None] | None]:
    """The envelope, and what is to be called once it is sent, if anybody listens; receivers may have changed both before.

    `address` are the keywords of `protocol.encode`, `policy` says how sending is tried again. EncodeError tells what cannot go.
    """
    then = _announce(message, address, policy) if is_watched() else None
    return protocol.encode(message, **address), then


def written_in_run(message: Message, address: dict[str, Any]) -> Envelope:
    """The envelope of a message that leaves with the outcome of a run; both signals are told in the process that runs it."""
    envelope, then = written(message, address)
    if then is not None:
        then()
    return envelope


def _announce(message: Message, address: dict[str, Any], policy: Mapping[str, Any] | None) -> Callable[[], None]:
    """Tell `before_task_publish`; gives what tells `after_task_publish`."""
    exchange, routing_key = address["exchange"], address["routing_key"] or address["queue"]
    headers, body = _opened(message)
    properties = {"correlation_id": headers["id"], "reply_to": address["reply_to"], **address["properties"]}
    name = message.headers.task
    before_task_publish.send(
        name,
        body=body,
        exchange=exchange,
        routing_key=routing_key,
        headers=headers,
        properties=properties,
        declare=[],
        retry_policy=policy,
    )
    _close(message, headers, body)
    address["properties"] = {key: properties[key] for key in properties if key not in ("correlation_id", "reply_to")}
    address["reply_to"] = properties.get("reply_to") or ""
    return lambda: _tell(name, headers, body, exchange, routing_key)


def _tell(name: str, headers: dict[str, Any], body: Any, exchange: str, routing_key: str) -> None:
    after_task_publish.send(name, headers=headers, body=body, exchange=exchange, routing_key=routing_key)


def _opened(message: Message) -> tuple[dict[str, Any], tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Headers and body as Celery's receivers know them: a dict, and (args, kwargs, embed)."""
    known = message.headers
    known.origin = known.origin or protocol.origin()
    known.argsrepr = brief(message.args) if known.argsrepr is None else known.argsrepr
    known.kwargsrepr = brief(message.kwargs) if known.kwargsrepr is None else known.kwargsrepr
    headers = {key: value for key, value in msgspec.structs.asdict(known).items() if value is not msgspec.UNSET}
    return {**headers, **message.extra}, (list(message.args), message.kwargs, msgspec.structs.asdict(message.embed))


def _close(message: Message, headers: dict[str, Any], body: tuple[Any, dict[str, Any], dict[str, Any]]) -> None:
    """Take over what the receivers left."""
    for key, value in headers.items():
        if key in _FIELDS:
            setattr(message.headers, key, value)
    message.extra = {key: value for key, value in headers.items() if key not in _FIELDS}
    message.args, message.kwargs, embed = body
    for key, value in embed.items():
        if key in message.embed.__struct_fields__:
            setattr(message.embed, key, value)
