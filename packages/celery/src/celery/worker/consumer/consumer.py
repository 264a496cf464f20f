"""What receives messages: umbel's own worker. The class has its place, to be asked about."""

from __future__ import annotations

from typing import Any

from celery._names import lacks


class Consumer:
    """Receives messages."""

    Strategies = dict

    def __init__(
        self,
        on_task_request: Any,
        init_callback: Any = None,
        hostname: Any = None,
        pool: Any = None,
        app: Any = None,
        timer: Any = None,
        controller: Any = None,
        hub: Any = None,
        amqheartbeat: Any = None,
        worker_options: Any = None,
        disable_rate_limits: bool = False,
        initial_prefetch_count: int = 2,
        prefetch_multiplier: int = 1,
        **kwargs: Any,
    ):
        raise lacks("celery.worker.consumer.Consumer()", "app.Worker(…).start()")


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
