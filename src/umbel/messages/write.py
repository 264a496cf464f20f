"""Complete calls written as messages: nobody else fills in headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from umbel.errors import EncodeError
from umbel.messages import when
from umbel.messages.announce import Then, announced, is_watched
from umbel.messages.complete import Parent, Rules, complete
from umbel.messages.options import Options
from umbel.wire import protocol
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message

if TYPE_CHECKING:  # who sends single calls composes none
    from umbel.canvas.unfold import Call

_READ = frozenset(
    {
        *("task_id", "countdown", "eta", "expires", "retries", "group_id", "group_index", "time_limit", "soft_time_limit"),
        *("link", "link_error", "chain", "chord", "headers", "stamped_headers", "replaced_task_nesting", "properties"),
        *("shadow", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result"),
        *("queue", "exchange", "routing_key", "priority", "serializer", "compression", "reply_to"),
    }
)
_WITHOUT_EFFECT = frozenset(
    {
        *("producer", "connection", "publisher", "router", "add_to_parent", "result_cls", "route_name", "task_type"),
        *("exchange_type", "declare", "mandatory", "immediate", "timeout", "confirm_timeout", "retry", "retry_policy"),
    }
)
_NO_PROPERTY = _READ | _WITHOUT_EFFECT


class Draft:
    """The message of a call that is about to be sent, and how it is written and addressed."""

    __slots__ = ("address", "message")

    def __init__(self, message: Message, address: dict[str, Any]):
        self.message = message
        self.address = address
        """The keywords of `protocol.encode`."""

    def encode(self) -> Envelope:
        """The envelope, of which nobody is told; an EncodeError names what cannot travel."""
        return protocol.encode(self.message, **self.address)

    def write(self, policy: Mapping[str, Any] | None = None) -> tuple[Envelope, Then | None]:
        """The envelope, and what is to be called once it is sent, if anybody listens; receivers may have changed it before.

        `policy` says how sending is tried again. An EncodeError names what cannot travel.
        """
        then = announced(self.message, self.address, policy)
        return self.encode(), then

    def template(self) -> protocol.Template:
        """What all calls that differ in nothing but id and arguments share."""
        return protocol.Template(self.message, **self.address)


class Writer:
    """Makes messages of calls by the rules of an app."""

    def __init__(self, rules: Rules | None = None):
        self.rules = rules or Rules()
        # No route is for orders, and their queue need not be declared.
        self._open = msgspec.structs.replace(self.rules, router=Rules().router)

    def draft(
        self,
        name: str,
        id_: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        task: Any = None,
        parent: Parent | None = None,
    ) -> Draft:
        """A call of the task `name` with `options` as `Task.apply_async` takes them; ValueError if they make no sense."""
        found = complete(name, args, kwargs, options, self.rules, task=task, parent=parent)
        return _written(name, found.get("task_id") or id_, args, kwargs, found)

    def follow(self, step: Call, *, task: Any, parent: Parent) -> list[Envelope]:
        """The message of a call that leaves with the outcome of the run of `parent`: told as sent in the process that runs it."""
        id_ = str(step.options["task_id"])  # what is served in a test may have none
        draft = self.draft(step.task, id_, step.args, step.kwargs, step.options, task=task, parent=parent)
        envelope, then = draft.write()
        if then is not None:
            then()
        return [envelope]

    def is_alone(self, task: Any) -> bool:
        """True if nobody else sees or makes the messages of such calls."""
        return not is_watched()

    def order(self, step: Call, *, parent: Parent) -> Envelope:
        """The message of an order for a worker itself, of which nobody is told."""
        options = {**step.options, "queue": self.rules.orders} if self.rules.orders else step.options
        found = complete(step.task, step.args, step.kwargs, options, self._open, parent=parent)
        return _written(step.task, step.options["task_id"], step.args, step.kwargs, found).encode()


def _written(name: str, id_: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Options) -> Draft:
    """The message of a call whose options are complete."""
    say = options.get
    eta, due = when.start(say("eta"), say("countdown"))
    stamps = say("stamped_headers") or ()
    headers = Headers(
        task=name,
        id=id_,
        shadow=say("shadow"),
        eta=eta,
        expires=when.expiry(say("expires")),
        group=say("group_id"),
        group_index=say("group_index"),
        retries=say("retries", 0),
        timelimit=(say("time_limit"), say("soft_time_limit")),
        root_id=say("root_id"),
        parent_id=say("parent_id"),
        argsrepr=say("argsrepr"),
        kwargsrepr=say("kwargsrepr"),
        origin=say("origin"),
        ignore_result=say("ignore_result"),
        replaced_task_nesting=say("replaced_task_nesting", 0),
        stamped_headers=say("stamped_headers"),
        stamps={key: options[key] for key in stamps if key in options},
    )
    embed = Embed(say("link"), say("link_error"), say("chain"), say("chord"))
    # Options that nobody knows travel as properties, for a transport that knows them.
    properties = {key: value for key, value in options.items() if key not in _NO_PROPERTY and key not in stamps}
    address = {
        "queue": options["queue"],
        "exchange": options["exchange"],
        "routing_key": options["routing_key"],
        "serializer": options["serializer"],
        "compression": options["compression"],
        "priority": options["priority"],
        "due": due,
        "reply_to": say("reply_to", ""),
        "properties": {**say("properties", {}), **properties},
    }
    return Draft(Message(headers, args if type(args) is list else tuple(args), dict(kwargs), embed, say("headers", {})), address)


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
