"""Finds the queue of a call: by what the call says, by `task_routes`, or the default."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any, NamedTuple

import msgspec

from umbel.errors import ImproperlyConfigured, QueueNotFound
from umbel.messages.options import Unfit, bears_name, name_of, queue_name
from umbel.settings import find
from umbel.wire.brief import brief

Route = Mapping[str, Any]
Rule = Callable[..., Any]
"""Called as `rule(name, args, kwargs, options, task=task)`; gives a route, a queue's name, or None."""


class Queue(msgspec.Struct, eq=False):
    """One queue that the settings name."""

    name: str
    exchange: str = ""
    routing_key: str = ""


class Destination(NamedTuple):
    """Where a message goes."""

    queue: str
    exchange: str
    routing_key: str


class Router:
    """Knows the queues and the routes of an app's settings."""

    def __init__(self, routes: Any, queues: Any, *, default: str, create_missing: bool):
        self.default = _checked("task_default_queue", default)
        self.queues = _queues(queues) if queues else {self.default: Queue(self.default)}
        self._create = create_missing
        self._rules: list[Rule] = []
        self.is_fixed = True
        """False if a route may depend on the arguments of a call."""
        for each in routes if isinstance(routes, (list, tuple)) and not _is_pairs(routes) else [routes]:
            if each:
                self._rules.append(self._rule(each))

    def _rule(self, route: Any) -> Rule:
        if isinstance(route, Mapping) or _is_pairs(route):
            return Table(route)
        self.is_fixed = False
        if isinstance(route, str):
            try:
                route = find(route)
            except ImportError as problem:
                raise ImproperlyConfigured(f"task_routes names {route!r}, which cannot be imported: {problem}") from problem
        if isinstance(route, type):
            route = route()
        rule = getattr(route, "route_for_task", route)
        if not callable(rule):
            raise ImproperlyConfigured(f"task_routes holds {route!r}; expected a dict, a function, or the path of one")
        return rule  # type: ignore[no-any-return]  # users' functions have no type

    def route(self, name: str, args: Any, kwargs: Any, options: dict[str, Any], task: Any = None) -> Route:
        """The options that a call gets from its route."""
        for rule in self._rules:
            found = rule(name, args, kwargs, options, task=task)
            if found is not None:
                return dict(found) if isinstance(found, Mapping) else {"queue": found}
        return {}

    def choose(self, options: Mapping[str, Any]) -> Destination:
        """Where a call with these options goes, those of its route among them."""
        queue = self._choose(options)
        exchange, routing_key = options.get("exchange"), options.get("routing_key")
        return Destination(queue.name, name_of(exchange) if exchange else queue.exchange, routing_key or queue.routing_key)

    def _choose(self, options: Mapping[str, Any]) -> Queue:
        queue = options.get("queue")
        if queue is not None:
            return self._find(queue)
        routing_key = options.get("routing_key")
        if routing_key:
            exchange = options.get("exchange")
            for each in self.queues.values():
                if _binds(each, routing_key) and (not exchange or each.exchange == name_of(exchange)):
                    return each
            if routing_key in self.queues:
                return self.queues[routing_key]
        return self._find(self.default)

    def _find(self, queue: Any) -> Queue:
        name = name_of(queue)
        known = self.queues.get(name)
        if known is None:
            if not self._create:
                raise QueueNotFound(f"queue {name!r} is not in task_queues; add it, or set task_create_missing_queues")
            known = _queue(queue) if bears_name(queue) else Queue(name)
        return known


class Table:
    """Routes by name: exact ones first, then patterns in their order."""

    def __init__(self, routes: Any):
        self._exact: dict[str, Any] = {}
        self._patterns: list[tuple[re.Pattern[str], Any]] = []
        for key, route in routes.items() if isinstance(routes, Mapping) else routes:
            if isinstance(key, re.Pattern):
                self._patterns.append((key, route))
            elif any(mark in key for mark in "*?["):
                self._patterns.append((re.compile(translate(key)), route))
            else:
                self._exact[key] = route

    def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        if name in self._exact:
            return self._exact[name]
        return next((route for pattern, route in self._patterns if pattern.match(name)), None)


def _is_pairs(routes: Any) -> bool:
    """True for `[("feeds.*", {"queue": "feeds"}), …]`, which means the same as a dict."""
    return isinstance(routes, (list, tuple)) and all(
        isinstance(each, (list, tuple)) and len(each) == 2 and isinstance(each[0], (str, re.Pattern)) and not callable(each[1])
        for each in routes
    )


def _queues(given: Any) -> dict[str, Queue]:
    """`task_queues` in any of its shapes."""
    if isinstance(given, str):
        given = [given]
    each: Iterable[Queue]
    if isinstance(given, Mapping):
        each = (_queue_of(name, options) for name, options in given.items())
    else:
        each = (_queue(item) if bears_name(item) else Queue(_checked("task_queues", item)) for item in given)
    return {queue.name: queue for queue in each}


def _checked(setting: str, given: Any) -> str:
    """The name of a queue that a setting names."""
    try:
        return queue_name(given)
    except Unfit as problem:
        raise ImproperlyConfigured(f"{setting} {problem}") from None
    except Exception:  # reading it runs code of its class
        raise ImproperlyConfigured(f"{setting} holds {brief(given)}; expected a name, or an object with a name") from None


def _queue_of(name: str, options: Any) -> Queue:
    name = _checked("task_queues", name)
    if options is not None and not isinstance(options, Mapping):
        raise ImproperlyConfigured(f"task_queues[{name!r}] is {brief(options)}; expected a dict of its options")
    say = (options or {}).get
    exchange, key = say("exchange") or "", say("routing_key") or say("binding_key") or ""
    if say("exchange_type", getattr(exchange, "type", None)) == "fanout":
        raise _broadcast(name)
    try:
        return Queue(name, name_of(exchange), name_of(key))
    except (TypeError, ValueError):
        raise ImproperlyConfigured(f"task_queues[{name!r}] has an exchange or a routing key that is no name") from None


def _queue(thing: Any) -> Queue:
    """A queue from an object with Celery's attributes."""
    exchange = getattr(thing, "exchange", None)
    kind = getattr(exchange, "type", None)
    name = _checked("task_queues", thing)
    if kind == "fanout" or type(thing).__name__ == "Broadcast":
        raise _broadcast(name)
    return Queue(name, name_of(exchange) if exchange else "", getattr(thing, "routing_key", None) or "")


def _broadcast(name: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"queue {name!r} is a broadcast, whose messages every worker gets: umbel gives each message to one worker. "
        f"Send to the queue of each worker (worker_direct)"
    )


def _binds(queue: Queue, key: str) -> bool:
    """True if the queue's routing key takes `key`: `*` stands for one word, `#` for any number."""
    if not queue.routing_key:
        return False
    if queue.routing_key == key:
        return True
    if not any(mark in queue.routing_key for mark in "*#"):
        return False
    words = re.escape(queue.routing_key).replace(r"\*", r"[^.]+").replace(r"\#", ".*")
    return re.fullmatch(words, key) is not None
