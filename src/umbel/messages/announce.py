"""Tells those who listen of a message that is about to leave; they may change its headers and arguments before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from umbel.signals import after_task_publish, before_task_publish
from umbel.wire import protocol
from umbel.wire.brief import brief
from umbel.wire.message import Headers, Message

Then = Callable[[], None]
"""What is to be called once a message is sent."""
_FIELDS = frozenset(Headers.__struct_fields__)


class Publisher(Protocol):
    """Somebody who is to be entered where messages leave."""

    def wants(self) -> bool:
        """True if it is to be entered now; asked of each message."""

    def publish(
        self,
        name: str,
        *,
        headers: dict[str, Any],
        body: tuple[Any, dict[str, Any], dict[str, Any]],
        properties: dict[str, Any],
        exchange: str,
        routing_key: str,
        address: dict[str, Any],
    ) -> None:
        """Called with each message once `before_task_publish` is told; what it changes in headers, body and properties is sent.

        `address` holds the keywords of `protocol.encode`. What it raises, the caller of `apply_async` gets.
        """


_publisher: Publisher | None = None


def publish_through(publisher: Publisher | None) -> None:
    """Enter `publisher` with each message from now on. To be set before the first is sent."""
    global _publisher
    _publisher = publisher


def publisher() -> Publisher | None:
    """Who is entered with each message, if anybody."""
    return _publisher


def is_watched() -> bool:
    """True if someone is told of what is sent."""
    return bool(before_task_publish.receivers or after_task_publish.receivers or (_publisher and _publisher.wants()))


def announced(message: Message, address: dict[str, Any], policy: Mapping[str, Any] | None) -> Then | None:
    """Tell `before_task_publish`, whose receivers may change both; gives what tells `after_task_publish`, if anybody listens.

    `address` are the keywords of `protocol.encode`, `policy` says how sending is tried again.
    """
    if not is_watched():
        return None
    exchange, routing_key = address["exchange"], address["routing_key"] or address["queue"]
    headers, body = opened(message)
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
    if _publisher is not None and _publisher.wants():
        _publisher.publish(
            name,
            headers=headers,
            body=body,
            properties=properties,
            exchange=exchange,
            routing_key=routing_key,
            address=address,
        )
    close(message, headers, body)
    address["properties"] = {key: properties[key] for key in properties if key not in ("correlation_id", "reply_to")}
    address["reply_to"] = properties.get("reply_to") or ""
    return lambda: _tell(name, headers, body, exchange, routing_key)


def _tell(name: str, headers: dict[str, Any], body: Any, exchange: str, routing_key: str) -> None:
    after_task_publish.send(name, headers=headers, body=body, exchange=exchange, routing_key=routing_key)


def opened(message: Message) -> tuple[dict[str, Any], tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Headers and body as Celery's receivers know them: a dict, and (args, kwargs, embed)."""
    known = message.headers
    known.origin = known.origin or protocol.origin()
    known.argsrepr = brief(message.args) if known.argsrepr is None else known.argsrepr
    known.kwargsrepr = brief(message.kwargs) if known.kwargsrepr is None else known.kwargsrepr
    headers = {key: value for key, value in msgspec.structs.asdict(known).items() if value is not msgspec.UNSET}
    return {**headers, **message.extra}, (list(message.args), message.kwargs, msgspec.structs.asdict(message.embed))


def close(message: Message, headers: dict[str, Any], body: tuple[Any, dict[str, Any], dict[str, Any]]) -> None:
    """Take over what the receivers left."""
    for key, value in headers.items():
        if key in _FIELDS:
            setattr(message.headers, key, value)
    message.extra = {key: value for key, value in headers.items() if key not in _FIELDS}
    message.args, message.kwargs, embed = body
    for key, value in embed.items():
        if key in message.embed.__struct_fields__:
            setattr(message.embed, key, value)
