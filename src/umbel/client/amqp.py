"""Queues and routes of an app, to be looked at: `app.amqp`. Where a call goes is decided by `messages/routing.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from umbel.errors import QueueNotFound

if TYPE_CHECKING:
    from umbel.messages.routing import Destination, Queue, Router


class Amqp:
    """One app's. Derive from it, and give the class as `Umbel(amqp=…)` or as the attribute `amqp_cls`, also by its path.

    It bears the name of Celery's; what is there of kombu and of exchanges that no queue has is Celery's alone.
    """

    def __init__(self, app: Any):
        self.app = app

    @property
    def queues(self) -> Mapping[str, Queue]:
        """The queues that the settings name, by name; each has `name`, `exchange` and `routing_key`."""
        return self.router.queues

    @property
    def default_queue(self) -> Queue:
        """That of calls which nothing sends elsewhere. Raises QueueNotFound if `task_queues` does not have it."""
        name = self.app.conf.task_default_queue
        found = self.queues.get(name)
        if found is None:
            raise QueueNotFound(f"queue {name!r}, the default, is not in task_queues; add it")
        return found

    @property
    def routes(self) -> Any:
        """What `task_routes` says."""
        return self.app.conf.task_routes

    @property
    def router(self) -> Router:
        """What decides where a call goes."""
        router: Router = self.app.router
        return router

    def route(self, name: str, args: Any = (), kwargs: Any = None, **options: Any) -> Destination:
        """The queue, exchange and routing key of such a call, which is not made."""
        router = self.router
        task = self.app.tasks.get(name)
        return router.choose({**router.route(name, args, kwargs or {}, options, task=task), **options})
