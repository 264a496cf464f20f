"""What others patch around runs and messages (`build_tracer`, kombu's `Producer.publish`) is entered, where it is patched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from umbel import signals

going: ContextVar[Callable[[], Any] | None] = ContextVar("umbel_going", default=None)
"""The run that a tracer is asked to make, if one stands round it."""


def is_own(function: Any, file: str) -> bool:
    """True if a function is the one that this file defines."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename == file


def stand_tracers(sender: Any, **_: Any) -> None:
    """At the start of a worker: let what was put in the place of `build_tracer` stand round the runs."""
    trace = sys.modules.get("celery.app.trace")  # who has patched something there has loaded it
    if trace is None or is_own(trace.build_tracer, str(trace.__file__)):
        return
    from umbel.execution import rounds

    if traced not in rounds.makers:
        rounds.stand_round(traced)


def traced(task: Any) -> Callable[[Any, Callable[[], Any]], Any]:
    """What stands round the runs of a task: the tracer that `build_tracer` gives now."""
    from celery.app import trace

    tracer = trace.build_tracer(task.name, task, task.app.loader, None, app=task.app)

    def round_(request: Any, go: Callable[[], Any]) -> Any:
        ended: list[Any] = []

        def run() -> Any:
            ended.append(go())
            return ended[0]

        token = going.set(run)
        try:
            tracer(request.id, request.args, request.kwargs, dict(vars(request)))
        finally:
            going.reset(token)
        return ended[0] if ended else go()  # one that did not come to the run itself must not keep it from being made

    return round_


def publish_through_producers() -> None:
    """Let what was put in the place of kombu's `Producer.publish` or `_publish` be entered with each message."""
    messaging = sys.modules.get("kombu.messaging")
    if messaging is None:
        return
    from umbel.messages.announce import publish_through, publisher

    if publisher() is None and _is_patched(messaging):
        publish_through(Producers(messaging))


def _is_patched(messaging: Any) -> bool:
    kind = messaging.Producer
    return not (is_own(kind.publish, messaging.__file__) and is_own(kind._publish, messaging.__file__))


class Producers:
    """Enters kombu's producer with each message, which goes out by umbel then."""

    def __init__(self, messaging: Any):
        self._messaging = messaging
        self._made: Any = None

    def wants(self) -> bool:
        """True while it is patched."""
        return _is_patched(self._messaging)

    @property
    def _producer(self) -> Any:
        if self._made is None:
            from kombu import Connection

            channel = Connection("memory://").channel()
            channel.basic_publish = lambda *args, **kwargs: None  # umbel itself sends it
            self._made = self._messaging.Producer(channel, auto_declare=False)
        return self._made

    def publish(
        self,
        name: str,
        *,
        headers: dict[str, Any],
        body: Any,
        properties: dict[str, Any],
        exchange: str,
        routing_key: str,
        address: dict[str, Any],
    ) -> None:
        """Publish it there."""
        known = ("correlation_id", "reply_to")
        self._producer.publish(
            body,
            headers=headers,
            exchange=exchange,
            routing_key=routing_key,
            serializer="json",
            retry=False,
            **{key: properties.get(key) for key in known},
        )


signals.worker_init.connect(stand_tracers)


def watch_requests(sender: Any, **given: Any) -> None:
    """Tasks with classes of requests of their own are watched."""
    if any(getattr(task, "Request", None) != "celery.worker.request:Request" for task in sender.app.tasks.values()):
        from celery.worker.request import watch

        watch(sender)


signals.worker_init.connect(watch_requests)
