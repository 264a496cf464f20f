"""Sends one call and tells it to those who listen; they may change headers and arguments before it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from umbel.client.call import Call
from umbel.signals import after_task_publish, before_task_publish
from umbel.wire.brief import brief
from umbel.wire.message import Headers
from umbel.wire.protocol import origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from umbel.client.outbox import Outbox

_FIELDS = frozenset(Headers.__struct_fields__)


def is_watched() -> bool:
    """True if someone is told of what is sent."""
    return bool(before_task_publish.receivers or after_task_publish.receivers)


def publish(call: Call, outbox: Outbox, *, retry: bool | None = None, policy: Mapping[str, Any] | None = None) -> None:
    """Send the call; `before_task_publish` is told before it is written, `after_task_publish` once it is sent."""
    if not is_watched():
        outbox.send((call.encode(),), retry=retry, policy=policy)
        return
    then = announce(call, policy=policy)
    outbox.send((call.encode(),), retry=retry, policy=policy, then=then)


def announce(call: Call, *, policy: Mapping[str, Any] | None = None) -> Callable[[], None]:
    """Tell `before_task_publish` of the call, which may change it; gives what tells `after_task_publish`."""
    address = call.address
    exchange, routing_key = address["exchange"], address["routing_key"] or address["queue"]
    headers, body = _opened(call)
    properties = {"correlation_id": headers["id"], "reply_to": address["reply_to"], **address["properties"]}
    name = call.message.headers.task
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
    _close(call, headers, body, properties)
    return lambda: _tell(name, headers, body, exchange, routing_key)


def _tell(name: str, headers: dict[str, Any], body: Any, exchange: str, routing_key: str) -> None:
    after_task_publish.send(name, headers=headers, body=body, exchange=exchange, routing_key=routing_key)


def _opened(call: Call) -> tuple[dict[str, Any], tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Headers and body as Celery's receivers know them: a dict, and (args, kwargs, embed)."""
    message = call.message
    known = message.headers
    known.origin = known.origin or origin()
    known.argsrepr = brief(message.args) if known.argsrepr is None else known.argsrepr
    known.kwargsrepr = brief(message.kwargs) if known.kwargsrepr is None else known.kwargsrepr
    headers = {key: value for key, value in msgspec.structs.asdict(known).items() if value is not msgspec.UNSET}
    return {**headers, **message.extra}, (list(message.args), message.kwargs, msgspec.structs.asdict(message.embed))


def _close(call: Call, headers: dict[str, Any], body: tuple[Any, dict[str, Any], dict[str, Any]], properties: Any) -> None:
    """Take over what the receivers left."""
    message = call.message
    for key, value in headers.items():
        if key in _FIELDS:
            setattr(message.headers, key, value)
    message.extra = {key: value for key, value in headers.items() if key not in _FIELDS}
    message.args, message.kwargs, embed = body
    for key, value in embed.items():
        if key in message.embed.__struct_fields__:
            setattr(message.embed, key, value)
    call.address["properties"] = {key: properties[key] for key in properties if key not in ("correlation_id", "reply_to")}
    call.address["reply_to"] = properties.get("reply_to") or ""
