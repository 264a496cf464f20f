"""Which task goes to which queue."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from celery.exceptions import QueueNotFound


class MapRoute:
    """Routes by the name of the task, which may be a pattern."""

    def __init__(self, map: Any):
        pairs = map.items() if isinstance(map, Mapping) else map
        self.map: dict[str, Any] = {}
        self.patterns: dict[re.Pattern[str], Any] = {}
        for key, value in pairs:
            if isinstance(key, re.Pattern):
                self.patterns[key] = value
            elif "*" in key:
                self.patterns[re.compile(fnmatch.translate(key))] = value
            else:
                self.map[key] = value

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in self.map:
            found = self.map[name]
            return dict(found) if isinstance(found, Mapping) else {"queue": found}
        for pattern, found in self.patterns.items():
            if pattern.match(name):
                return {"queue": found} if isinstance(found, str) else found
        return None


class Router:
    """Asks routes one after the other."""

    def __init__(self, routes: Any = None, queues: Any = None, create_missing: bool = False, app: Any = None):
        self.app = app
        self.queues = {} if queues is None else queues
        self.routes = [] if routes is None else routes
        self.create_missing = create_missing

    def route(self, options: Any, name: str, args: Any = (), kwargs: Any = None, task_type: Any = None) -> Any:
        """The options of a call, with what its route adds."""
        options = self.expand_destination(options)
        if not options.get("queue") and self.routes:
            route = self.lookup_route(name, args, kwargs, options, task_type)
            if route:
                return {**self.expand_destination(route), **options}
        if "queue" not in options and self.app is not None:
            options = {**self.expand_destination(self.app.conf.task_default_queue), **options}
        return options

    def expand_destination(self, route: Any) -> Any:
        """A route as options, its queue looked up."""
        route = {"queue": route} if isinstance(route, str) else dict(route)
        queue = route.pop("queue", None)
        if queue is not None:
            if isinstance(queue, str):
                try:
                    queue = self.queues[queue]
                except KeyError:
                    raise QueueNotFound(
                        f"queue {queue!r} is not in task_queues; add it or set task_create_missing_queues"
                    ) from None
            route["queue"] = queue
        return route

    def lookup_route(self, name: str, args: Any = None, kwargs: Any = None, options: Any = None, task_type: Any = None) -> Any:
        """What the first route says that says anything."""
        for router in self.routes:
            found = self.query_router(router, name, args, kwargs, options, task_type)
            if found is not None:
                return found
        return None

    def query_router(self, router: Any, task: Any, args: Any, kwargs: Any, options: Any, task_type: Any) -> Any:
        """What one route says."""
        router = getattr(router, "route_for_task", None) or router
        return router(task, args, kwargs, options, task=task_type)


def expand_router_string(router: str) -> Any:
    """The router that a path names."""
    from celery.utils.imports import symbol_by_name

    found = symbol_by_name(router)
    return found() if hasattr(found, "route_for_task") else found


def prepare(routes: Any) -> Any:
    """Routes as a list of functions."""

    def opened(route: Any) -> Any:
        if isinstance(route, (Mapping, list, tuple)):
            return MapRoute(route)
        return expand_router_string(route) if isinstance(route, str) else route

    if routes is None:
        return ()
    return [opened(route) for route in (routes if isinstance(routes, (list, tuple)) else [routes])]
