"""Remote control: what the stores can do today, and the places of the rest."""

from __future__ import annotations

import warnings
from typing import Any

from celery._names import later
from celery.exceptions import DuplicateNodenameWarning
from umbel.client.control import Control as ControlOf


def flatten_reply(reply: Any) -> dict[str, Any]:
    """Replies of several nodes as one dict."""
    nodes: dict[str, Any] = {}
    for item in reply:
        for name, value in item.items():
            if name in nodes:
                warnings.warn(f"Two nodes are called {name}", DuplicateNodenameWarning, stacklevel=2)
            nodes[name] = value
    return nodes


class Inspect:
    """Asks workers what they do: later."""

    app: Any = None

    def __init__(
        self,
        destination: Any = None,
        timeout: float = 1.0,
        callback: Any = None,
        connection: Any = None,
        app: Any = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ):
        self.app = app or self.app
        self.destination = destination
        self.timeout = timeout
        self.callback = callback
        self.connection = connection
        self.limit = limit
        self.pattern = pattern
        self.matcher = matcher

    def _request(self, command: str, **kwargs: Any) -> Any:
        raise later(f"app.control.inspect().{command}()")

    def report(self) -> Any:
        """A report of faults of each worker."""
        return self._request("report")

    def clock(self) -> Any:
        """Its logical clock."""
        return self._request("clock")

    def active(self, safe: Any = None) -> Any:
        """What it runs."""
        return self._request("active", safe=safe)

    def scheduled(self, safe: Any = None) -> Any:
        """What waits for its time in it."""
        return self._request("scheduled")

    def reserved(self, safe: Any = None) -> Any:
        """What it holds."""
        return self._request("reserved")

    def stats(self) -> Any:
        """Its figures."""
        return self._request("stats")

    def revoked(self) -> Any:
        """The revoked tasks that it knows."""
        return self._request("revoked")

    def registered(self, *taskinfoitems: str) -> Any:
        """Its tasks."""
        return self._request("registered", taskinfoitems=taskinfoitems)

    registered_tasks = registered

    def ping(self, destination: Any = None) -> Any:
        """Whether it answers."""
        return self._request("ping")

    def active_queues(self) -> Any:
        """The queues that it serves."""
        return self._request("active_queues")

    def query_task(self, *ids: Any) -> Any:
        """Where these tasks are."""
        return self._request("query_task", ids=ids)

    def conf(self, with_defaults: bool = False) -> Any:
        """Its settings."""
        return self._request("conf", with_defaults=with_defaults)

    def hello(self, from_node: str, revoked: Any = None) -> Any:
        """What neighbours tell each other."""
        return self._request("hello", from_node=from_node, revoked=revoked)

    def memsample(self) -> Any:
        """Its memory."""
        return self._request("memsample")

    def memdump(self, samples: int = 10) -> Any:
        """Its memory so far."""
        return self._request("memdump", samples=samples)

    def objgraph(self, type: str = "Request", n: int = 200, max_depth: int = 10) -> Any:
        """A picture of its objects."""
        return self._request("objgraph", num=n, max_depth=max_depth, type=type)


class Control(ControlOf):
    """Revokes tasks and purges queues by way of the stores; what needs an answer of workers comes later."""

    @property
    def Mailbox(self) -> Any:  # noqa: N802 - Celery's name
        """kombu's mailbox."""
        from kombu.pidbox import Mailbox

        return Mailbox

    def __init__(self, app: Any = None):
        from celery.app import app_or_default

        super().__init__(app_or_default(app))
        self.app = self._app

    @property
    def inspect(self) -> Any:
        """Asks workers what they do."""
        return self.app._part("Inspect", lambda: self.app.subclass_with_self(Inspect, reverse="control.inspect"))

    def revoke(
        self, task_id: Any, destination: Any = None, terminate: bool = False, signal: Any = "SIGTERM", **kwargs: Any
    ) -> None:
        """Let a task, or several, not run."""
        super().revoke(task_id, destination, terminate, signal, **kwargs)

    def terminate(self, task_id: Any, destination: Any = None, signal: Any = "SIGTERM", **kwargs: Any) -> None:
        """The same, and end it if it runs."""
        self.revoke(task_id, destination, terminate=True, signal=signal, **kwargs)

    def revoke_by_stamped_headers(
        self, headers: Any, destination: Any = None, terminate: bool = False, signal: Any = "SIGTERM", **kwargs: Any
    ) -> Any:
        """Let tasks with these stamps not run."""
        raise later("app.control.revoke_by_stamped_headers")

    def purge(self, connection: Any = None) -> int:
        """Remove all messages that wait in the app's queues; gives how many."""
        return sum(self.app.broker.purge(queue) for queue in self.app.queues())

    discard_all = purge

    def broadcast(
        self,
        command: str,
        arguments: Any = None,
        destination: Any = None,
        connection: Any = None,
        reply: bool = False,
        timeout: float = 1.0,
        limit: int | None = None,
        callback: Any = None,
        channel: Any = None,
        pattern: str | None = None,
        matcher: str | None = None,
        **extra_kwargs: Any,
    ) -> Any:
        """Tell all workers."""
        raise later(f"app.control.broadcast({command!r})")

    def election(self, id: str, topic: str, action: Any = None, connection: Any = None) -> Any:
        """Let workers choose one of them."""
        return self.broadcast("election")

    def ping(self, destination: Any = None, timeout: float = 1.0, **kwargs: Any) -> Any:
        """Ask which workers answer."""
        return self.broadcast("ping")

    def rate_limit(self, task_name: str, rate_limit: Any, destination: Any = None, **kwargs: Any) -> Any:
        """Change a rate limit."""
        return self.broadcast("rate_limit")

    def time_limit(self, task_name: str, soft: Any = None, hard: Any = None, destination: Any = None, **kwargs: Any) -> Any:
        """Change time limits."""
        return self.broadcast("time_limit")

    def add_consumer(
        self,
        queue: str,
        exchange: Any = None,
        exchange_type: str = "direct",
        routing_key: str | None = None,
        options: Any = None,
        destination: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Let workers serve another queue."""
        return self.broadcast("add_consumer")

    def cancel_consumer(self, queue: str, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers serve a queue no longer."""
        return self.broadcast("cancel_consumer")

    def enable_events(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers send events."""
        return self.broadcast("enable_events")

    def disable_events(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers send no events."""
        return self.broadcast("disable_events")

    def pool_grow(self, n: int = 1, destination: Any = None, **kwargs: Any) -> Any:
        """Give pools more processes."""
        return self.broadcast("pool_grow")

    def pool_shrink(self, n: int = 1, destination: Any = None, **kwargs: Any) -> Any:
        """Give pools fewer processes."""
        return self.broadcast("pool_shrink")

    def autoscale(self, max: int, min: int, destination: Any = None, **kwargs: Any) -> Any:
        """Change the bounds of pools."""
        return self.broadcast("autoscale")

    def shutdown(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers stop."""
        return self.broadcast("shutdown")

    def pool_restart(
        self, modules: Any = None, reload: bool = False, reloader: Any = None, destination: Any = None, **kwargs: Any
    ) -> Any:
        """Let pools begin anew."""
        return self.broadcast("pool_restart")

    def heartbeat(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers send a heartbeat."""
        return self.broadcast("heartbeat")
