"""What the options of a call come to: its own, over its task's, over its route's, over what settings and parent say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from umbel.messages.options import Options, checked
from umbel.messages.routing import Router

OF_TASKS = (
    *("queue", "exchange", "routing_key", "priority", "expires", "serializer", "compression", "time_limit"),
    *("soft_time_limit", "delivery_mode"),
)
"""Attributes of a task that are options of each of its calls, besides `ignore_result`."""


class Parent(Protocol):
    """The request in whose run a call is made."""

    @property
    def id(self) -> str | None:
        """Its id; None if it is no call of a worker's, and nobody's parent."""

    @property
    def root_id(self) -> str | None:
        """The id of what all began with."""

    @property
    def delivery_info(self) -> Any:
        """How it came."""


class Rules(msgspec.Struct, frozen=True):
    """What the settings of an app say of all its calls."""

    router: Router = msgspec.field(default_factory=lambda: Router(None, None, default="celery", create_missing=True))
    serializer: str = "json"
    compression: str | None = None
    priority: int | None = None
    inherit_priority: bool = False
    orders: str | None = None
    """The queue of what workers send each other; None: where the task was that it is about."""


def of_task(task: Any, options: Mapping[str, Any]) -> Options:
    """The options of a call, and below them those that its task has for all."""
    found = {key: value for key in OF_TASKS if (value := getattr(task, key, None)) is not None}
    found["ignore_result"] = task.ignore_result
    found.update((key, value) for key, value in options.items() if value is not None)
    return found


def complete(
    name: str, args: Any, kwargs: Any, options: Mapping[str, Any], rules: Rules, *, task: Any = None, parent: Parent | None = None
) -> Options:
    """All options of a call, in plain values; `queue`, `exchange` and `routing_key` are where it goes.

    ValueError names the task and the option that makes no sense. `task` is what is known of it here, if anything.
    """
    found = checked(name, options if task is None else of_task(task, options))
    if task is not None and not found.get("shadow") and (shadow := task.shadow_name(args, kwargs, found)):
        found["shadow"] = shadow
    route = rules.router.route(name, args, kwargs, found, task)
    if route:
        found = {**checked(name, route), **found}
    found["queue"], found["exchange"], found["routing_key"] = rules.router.choose(found)
    if parent is not None and parent.id:
        found["root_id"] = found.get("root_id") or parent.root_id or parent.id
        found["parent_id"] = found.get("parent_id") or parent.id
        if rules.inherit_priority and "priority" not in found:
            found["priority"] = (parent.delivery_info or {}).get("priority")
    if found.get("priority") is None:
        found["priority"] = rules.priority or 0
    found["serializer"] = found.get("serializer") or rules.serializer
    found["compression"] = found.get("compression") or rules.compression
    return found
