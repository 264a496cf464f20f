"""Tasks, and what they know of the call that they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from celery._names import lacks
from celery.exceptions import MaxRetriesExceededError
from umbel.client.canvas.signature import Signature
from umbel.client.plain import plain
from umbel.client.task import P, R, configured
from umbel.client.task import Task as TaskOf
from umbel.errors import BrokerDown, EncodeError

if TYPE_CHECKING:
    from celery.app._context import Context as Context

extract_exec_options = (
    *("queue", "routing_key", "exchange", "priority", "expires", "serializer", "delivery_mode", "compression"),
    *("time_limit", "soft_time_limit", "immediate", "mandatory"),
)


class _Later:
    """A class attribute that is loaded when it is asked for."""

    def __init__(self, load: Callable[[], Any]):
        self._load = load

    def __get__(self, task: Any, owner: Any) -> Any:
        return self._load()


def _operational_error() -> Any:
    from celery.exceptions import OperationalError

    return OperationalError


class Task(TaskOf[P, R], Generic[P, R]):
    """A task of an app, with Celery's names and signatures."""

    MaxRetriesExceededError = MaxRetriesExceededError
    OperationalError: Any = _Later(_operational_error)
    Strategy = "celery.worker.strategy:default"
    Request = "celery.worker.request:Request"
    from_config = (
        ("serializer", "task_serializer"),
        ("rate_limit", "task_default_rate_limit"),
        ("priority", "task_default_priority"),
        ("track_started", "task_track_started"),
        ("acks_late", "task_acks_late"),
        ("acks_on_failure_or_timeout", "task_acks_on_failure_or_timeout"),
        ("acks_on_failure", "task_acks_on_failure"),
        ("acks_on_timeout", "task_acks_on_timeout"),
        ("reject_on_worker_lost", "task_reject_on_worker_lost"),
        ("retry_on_worker_lost", "task_retry_on_worker_lost"),
        ("ignore_result", "task_ignore_result"),
        ("store_eager_result", "task_store_eager_result"),
        ("store_errors_even_if_ignored", "task_store_errors_even_if_ignored"),
    )
    time_limit: float | None = configured("task_time_limit")
    soft_time_limit: float | None = configured("task_soft_time_limit")
    __bound__ = False
    __trace__: Any = None

    # Celery's attributes are the class's too: `Base.app = app`, `Base.bind(app)`.

    def _get_request(self) -> Any:
        from celery.app._context import Context

        return self.request_stack.top or Context()

    @classmethod
    def _get_app(cls) -> Any:
        from celery._state import get_current_app

        return cls._app or get_current_app()

    @classmethod
    def bind(cls, app: Any) -> Any:
        """Make it a class of the tasks of `app`; gives the app."""
        cls._app, cls.__bound__ = app, True
        cls.annotate()
        cls.on_bound(app)
        return app

    @classmethod
    def annotate(cls) -> None:
        """Change attributes as `task_annotations` says; umbel does so when an app is finalized."""

    @classmethod
    def add_around(cls, attr: str, around: Callable[..., Any]) -> None:
        """Put a function around a method: it gets the method, then what that gets."""
        inner = getattr(cls, attr)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return around(inner, *args, **kwargs)

        wrapper.__wrapped__ = inner  # type: ignore[attr-defined]  # as functools.wraps does
        setattr(cls, attr, wrapper)

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the task does."""
        raise NotImplementedError(f"{type(self).__name__} has no run(): define it, or decorate a function with @app.task")

    # Sending

    @plain
    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        shadow: str | None = None,
        **options: Any,
    ) -> Any:
        """Send it, with options."""
        try:
            return super().apply_async(args, kwargs, task_id, producer, link, link_error, shadow, **options)
        except BrokerDown as problem:
            raise _operational_error()(str(problem)) from None
        except EncodeError as problem:
            from kombu.exceptions import EncodeError as KombusError

            raise KombusError(str(problem)) from problem

    @plain
    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        link: Any = None,
        link_error: Any = None,
        task_id: str | None = None,
        retries: int | None = None,
        throw: bool | None = None,
        logfile: str | None = None,
        loglevel: int | None = None,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Run it here and now as a worker would."""
        from celery.result import EagerResult
        from umbel.client.canvas.stage import apply

        options.update(link=link, link_error=link_error, task_id=task_id, retries=retries, headers=headers)
        throw = bool(self.app.conf.task_eager_propagates) if throw is None else throw
        found = apply(self, tuple(args or ()), dict(kwargs or {}), options, throw=throw, again=not throw)
        return EagerResult(found.id, found.result, found.state, found.traceback, found.name)

    def push_request(self, *args: Any, **kwargs: Any) -> None:
        """Let a request count as the one that is served."""
        from celery.app._context import Context

        self.request_stack.push(Context(*args, **{"called_directly": False, "task": self.name, **kwargs}))

    # Signatures

    @plain
    def signature(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Any:
        """A call that is not made yet."""
        starkwargs.setdefault("app", self.app)
        return Signature(self, args, *starargs, **starkwargs)

    def subtask(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Any:
        """The same, by its old name."""
        return self.signature(args, *starargs, **starkwargs)

    def subtask_from_request(
        self, request: Any = None, args: Any = None, kwargs: Any = None, queue: Any = None, **extra_options: Any
    ) -> Any:
        """`signature_from_request`, by its old name."""
        return self.signature_from_request(request, args, kwargs, queue, **extra_options)

    def chunks(self, it: Iterable[Any], n: int) -> Any:
        """Calls of this task, so many in one message."""
        return super().chunks(it, n)

    def map(self, it: Iterable[Any]) -> Any:
        """Calls of this task, one after the other in one message."""
        return super().map(it)

    def starmap(self, it: Iterable[Any]) -> Any:
        """The same, each argument of `it` unpacked."""
        return super().starmap(it)

    def replace(self, sig: Any) -> Any:
        """Let another call take this one's place."""
        return super().replace(sig)

    def on_replace(self, sig: Any) -> Any:
        """Called by `replace`; may give something else."""
        return super().on_replace(sig)

    def add_to_chord(self, sig: Any, lazy: bool = False) -> Any:
        """Add a call to the chord that this one is part of."""
        return super().add_to_chord(sig, lazy)

    def send_event(self, type_: str, retry: bool = True, retry_policy: Any = None, **fields: Any) -> Any:
        """Send an event."""
        super().send_event(type_, retry, retry_policy, **fields)

    def start_strategy(self, app: Any, consumer: Any, **kwargs: Any) -> Any:
        """How a worker receives it."""
        raise lacks("Task.start_strategy", "umbel's worker has one way to receive all tasks")

    # Results

    def AsyncResult(self, task_id: str, **kwargs: Any) -> Any:  # noqa: N802 - Celery's name
        """The result of a call by its id."""
        return self.app.AsyncResult(task_id, **{"task_name": self.name, **kwargs})

    def update_state(self, task_id: str | None = None, state: str | None = None, meta: Any = None, **kwargs: Any) -> None:
        """Tell those who wait how far it is."""
        super().update_state(task_id, state, meta, **kwargs)

    def add_trail(self, result: Any) -> Any:
        """Count `result` among the children of the call that runs."""
        return super().add_trail(result)

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Called when the task comes to its app."""

    def _get_exec_options(self) -> dict[str, Any]:
        return {key: value for key in extract_exec_options if (value := getattr(self, key, None)) is not None}

    def __repr__(self) -> str:
        where = f" of {self._app.main} at {hex(id(self._app))}" if self._app is not None else ""
        return f"<@task: {self.name}{where}>" if self.name else f"<unbound {type(self).__name__}>"

    @property
    def __name__(self) -> str:
        return str(self.__dict__.get("__name__") or type(self).__name__)

    @__name__.setter
    def __name__(self, name: str) -> None:
        self.__dict__["__name__"] = name


BaseTask = Task
"""Celery's other name for it."""


def __getattr__(name: str) -> Any:
    from celery._names import found

    return found(globals(), name, {"Context": "celery.app._context"})
