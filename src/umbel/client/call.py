"""One call of a task, with its options, as a message; and the plan of a task, which makes the usual call cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from umbel.client.options import check
from umbel.client.routing import Destination, Router
from umbel.errors import EncodeError
from umbel.execution import when
from umbel.execution.announce import written
from umbel.execution.request import Request
from umbel.wire import protocol
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message

if TYPE_CHECKING:
    from umbel.client.outbox import Outbox
    from umbel.settings import Settings

HIGHEST = 9
"""The most urgent priority."""

Options = dict[str, Any]

_HEADERS = frozenset({"shadow", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result"})
_READ = frozenset(
    {
        *("task_id", "countdown", "eta", "expires", "retries", "group_id", "group_index", "time_limit", "soft_time_limit"),
        *("link", "link_error", "chain", "chord", "headers", "stamped_headers", "replaced_task_nesting"),
        *("queue", "exchange", "routing_key", "priority", "serializer", "compression", "reply_to"),
    }
)
_WITHOUT_EFFECT = frozenset(
    {
        *("producer", "connection", "publisher", "add_to_parent", "result_cls", "route_name", "task_type", "exchange_type"),
        *("declare", "mandatory", "immediate", "timeout", "confirm_timeout", "retry", "retry_policy", "delivery_mode"),
    }
)
_NO_PROPERTY = _HEADERS | _READ | _WITHOUT_EFFECT


class Call:
    """One call that is about to be sent: its message, and how the message is written and addressed."""

    __slots__ = ("address", "message")

    def __init__(self, message: Message, address: dict[str, Any]):
        self.message = message
        self.address = address
        """The keywords of `protocol.encode`."""

    def encode(self) -> Envelope:
        """The envelope, of which nobody is told; an EncodeError names what cannot travel."""
        return protocol.encode(self.message, **self.address)

    def send(self, outbox: Outbox, *, retry: bool | None = None, policy: Mapping[str, Any] | None = None) -> None:
        """Give it to the outbox. `before_task_publish` is told before it is written, `after_task_publish` once it is sent."""
        envelope, then = written(self.message, self.address, policy)
        outbox.send((envelope,), retry=retry, policy=policy, then=then)

    def template(self) -> protocol.Template:
        """What all calls that differ in nothing but id and arguments share."""
        return protocol.Template(self.message, **self.address)


def prepare(
    name: str,
    id_: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Options,
    *,
    conf: Settings,
    router: Router,
    parent: Request | None,
    task: Any = None,
) -> Call:
    """The call of the task `name`, with `options` as `Task.apply_async` takes them; ValueError if they make no sense."""
    check(name, options)
    destination = router.route(name, args, kwargs, options, task)
    if destination.options:
        options = {**destination.options, **{key: value for key, value in options.items() if value is not None}}
    eta, due = when.start(options.get("eta"), options.get("countdown"))
    message = Message(_headers(name, id_, options, eta, parent), tuple(args), dict(kwargs), _embed(options), _extra(options))
    return Call(message, _address(destination, options, due, conf, parent))


def _headers(name: str, id_: str, options: Options, eta: str | None, parent: Request | None) -> Headers:
    hard, soft = options.get("time_limit"), options.get("soft_time_limit")
    headers = Headers(
        task=name,
        id=id_,
        eta=eta,
        expires=when.expiry(options.get("expires")),
        group=options.get("group_id"),
        group_index=options.get("group_index"),
        retries=options.get("retries") or 0,
        timelimit=(hard, soft),
        replaced_task_nesting=options.get("replaced_task_nesting") or 0,
        stamped_headers=options.get("stamped_headers"),
        stamps={key: options[key] for key in options.get("stamped_headers") or () if key in options},
    )
    for field in _HEADERS & options.keys():
        setattr(headers, field, options[field])
    if parent is not None:
        headers.root_id = headers.root_id or parent.root_id or parent.id
        headers.parent_id = headers.parent_id or parent.id
    return headers


def _embed(options: Options) -> Embed:
    return Embed(_listed(options.get("link")), _listed(options.get("link_error")), options.get("chain"), options.get("chord"))


def _listed(signatures: Any) -> list[Any] | None:
    """One signature or several as plain dicts, which is what travels."""
    if not signatures:
        return None
    several = signatures if isinstance(signatures, (list, tuple)) else [signatures]
    return [each if isinstance(each, Mapping) else each.s() for each in several]


def _extra(options: Options) -> dict[str, Any]:
    return dict(options.get("headers") or {})


def _address(to: Destination, options: Options, due: float | None, conf: Settings, parent: Request | None) -> dict[str, Any]:
    """Where it goes and how it is written; unknown options travel as properties, for a transport that knows them."""
    stamps = options.get("stamped_headers") or ()
    properties = {
        key: value for key, value in options.items() if key not in _NO_PROPERTY and key not in stamps and value is not None
    }
    return {
        "queue": to.queue,
        "exchange": to.exchange,
        "routing_key": to.routing_key,
        "serializer": options.get("serializer") or conf.task_serializer,
        "compression": options.get("compression") or conf.task_compression,
        "priority": _priority(options, conf, parent),
        "due": due,
        "reply_to": options.get("reply_to") or "",
        "properties": properties,
    }


def _priority(options: Options, conf: Settings, parent: Request | None) -> int:
    """0 to 9; what is beyond (RabbitMQ takes up to 255) counts as the nearest."""
    priority = options.get("priority")
    if priority is None and parent is not None and conf.task_inherit_parent_priority:
        priority = (parent.delivery_info or {}).get("priority")
    if priority is None:
        priority = conf.task_default_priority
    if priority is None:
        return 0
    return max(0, min(HIGHEST, int(priority)))


def blame(failure: EncodeError, name: str, names: Sequence[str]) -> EncodeError:
    """The same error, naming the task and its argument as its author called it."""
    text = str(failure)
    if text.startswith("args["):
        index, _, rest = text[len("args[") :].partition("]")
        if index.isdigit():
            position = int(index)
            text = f"argument {names[position] if position < len(names) else position!r}{rest}"
    elif text.startswith("kwargs["):
        key, _, rest = text[len("kwargs[") :].partition("]")
        text = f"argument {key}{rest}"
    return EncodeError(f"{name}: {text}")
