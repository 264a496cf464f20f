"""A function that can be sent: called here, or sent to run elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from umbel import errors
from umbel.client import current
from umbel.client.attributes import KINDS, misfit
from umbel.client.canvas.signature import Signature, as_pair
from umbel.client.plain import is_plain, plain
from umbel.client.results.result import AsyncResult as ResultOf  # the class has a method of that name
from umbel.client.results.result_set import Results
from umbel.errors import EncodeError, Retry
from umbel.execution.hooks import Hooks
from umbel.signals import after_task_publish, before_task_publish

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import ParamSpec as ParamSpecWithDefault
    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.client.results.eager_result import EagerResult
    from umbel.client.shortcut import Shortcut
    from umbel.client.stack import Stack
    from umbel.execution.request import Request
    from umbel.settings import Settings
    from umbel.wire.envelope import Envelope

    # With defaults, so that `class Base(Task)` needs no parameters.
    P = ParamSpecWithDefault("P", default=...)
    R = TypeVarWithDefault("R", default=Any)
else:
    P = ParamSpec("P")
    R = TypeVar("R")

_COROUTINE = 0x80  # flag of code objects
_NOTHING: dict[str, Any] = {}


class Configured:
    """A task attribute whose value is a setting's, unless the class or the task has one of its own."""

    def __init__(self, setting: str):
        self.setting = setting

    def __get__(self, task: Task[..., Any] | None, owner: type) -> Any:
        if task is None:
            return None
        conf = (task._app or current.app()).conf
        known = task._configured
        if known is None or known[0] is not conf or known[1] != conf.version:
            known = (conf, conf.version, {})
            object.__setattr__(task, "_configured", known)
        values = known[2]
        if self.setting not in values:
            values[self.setting] = conf[self.setting]
        return values[self.setting]


class ConfiguredOr(Configured):
    """The same; where the setting says nothing, another attribute does."""

    def __init__(self, setting: str, other: str):
        super().__init__(setting)
        self.other = other

    def __get__(self, task: Task[..., Any] | None, owner: type) -> Any:
        value = super().__get__(task, owner)
        return getattr(task, self.other) if value is None and task is not None else value


def configured(setting: str) -> Any:
    """A `Configured` attribute; `Any`, so that subclasses may say plainly `acks_late = True`."""
    return Configured(setting)


class LateError:
    """A class attribute that is an exception of umbel's, which may take long to load where it is somebody else's, too."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, task: Task[..., Any] | None, owner: type) -> Any:
        return getattr(errors, self._name)


def _given() -> Any:
    """What says what is wrong with arguments; loaded where something may be."""
    from umbel.messages import given

    return given


class Task(Hooks, Generic[P, R]):
    """One task of an app. Options of `@app.task(…)` are its attributes; a subclass may define `run` and the hooks."""

    MaxRetriesExceededError: Any = LateError("MaxRetriesExceededError")
    """What ends a task that was retried as often as it may be: `except self.MaxRetriesExceededError`."""
    name: str = ""
    """The name that messages bear."""
    typing: bool = True
    """Check arguments before sending."""
    abstract: bool = True
    """It is a base of other tasks, and none itself."""
    trail: bool = True
    """Its result knows what its run has sent."""
    send_events: bool = True
    """Events tell of it."""
    max_retries: int | None = 3
    """Retries after which it fails for good; None: never."""
    default_retry_delay: float = 180
    """Seconds until a retry for which nothing else is said."""
    autoretry_for: Any = ()
    """Exceptions after which it is retried by itself."""
    dont_autoretry_for: Any = ()
    """Exceptions among those after which it is not."""
    retry_kwargs: Mapping[str, Any] = {}
    """Arguments of `retry` for retries by itself."""
    retry_backoff: bool | float = False
    """Seconds before the first such retry, doubled each time (True: one)."""
    retry_backoff_max: float = 600
    """The longest such pause."""
    retry_jitter: bool = True
    """The pause is drawn between nothing and all of that."""
    throws: Any = ()
    """Exceptions that are part of its normal work: told without a traceback, at INFO."""
    resultrepr_maxsize: int = 1024
    """So many characters of its value are shown in the log."""
    time_limit: float | None = None
    """Seconds after which it is ended."""
    soft_time_limit: float | None = None
    """Seconds after which SoftTimeLimitExceeded is raised inside."""
    expires: Any = None
    """Seconds, or a time, after which a call that has not begun is of no use."""
    queue: Any = None
    """Where its calls go, unless a route or the call says otherwise."""
    exchange: Any = None
    """... by what name of an exchange."""
    routing_key: str | None = None
    """... by what key."""
    delivery_mode: Any = None
    """1 (transient) or 2 (persistent)."""
    pydantic: bool = False
    """Arguments that are annotated as models are validated, and a returned model is turned into plain values."""
    pydantic_strict: bool | None = None
    """Passed to `model_validate`."""
    pydantic_context: Mapping[str, Any] | None = None
    """Passed to `model_validate`."""
    pydantic_dump_kwargs: Mapping[str, Any] | None = None
    """Passed to `model_dump`."""

    acks_late: bool | None = configured("task_acks_late")
    acks_on_failure_or_timeout: bool | None = configured("task_acks_on_failure_or_timeout")
    acks_on_failure: Any = ConfiguredOr("task_acks_on_failure", "acks_on_failure_or_timeout")
    acks_on_timeout: Any = ConfiguredOr("task_acks_on_timeout", "acks_on_failure_or_timeout")
    reject_on_worker_lost: bool | None = configured("task_reject_on_worker_lost")
    retry_on_worker_lost: bool | None = configured("task_retry_on_worker_lost")
    ignore_result: bool | None = configured("task_ignore_result")
    store_errors_even_if_ignored: bool | None = configured("task_store_errors_even_if_ignored")
    store_eager_result: bool | None = configured("task_store_eager_result")
    track_started: bool | None = configured("task_track_started")
    rate_limit: Any = configured("task_default_rate_limit")
    serializer: str | None = configured("task_serializer")
    compression: str | None = configured("task_compression")
    priority: int | None = configured("task_default_priority")

    __wrapped__: Callable[..., Any]
    _app: current.App | None = None
    _shortcut: Shortcut | None = None
    _configured: tuple[Settings, int, dict[str, Any]] | None = None
    """Values of settings as they were read, from which settings, at which version."""

    @property
    def app(self) -> Any:
        """The app it belongs to, else the current one (an `Umbel`; `Any`, as that is defined above)."""
        return self._app or current.app()

    @app.setter
    def app(self, app: current.App | None) -> None:
        self._app = app

    def __setattr__(self, name: str, value: Any) -> None:
        if name in KINDS and (wrong := misfit(name, value)):
            raise ValueError(f"{self.name}: {wrong}")
        object.__setattr__(self, name, value)
        if name != "_shortcut":
            object.__setattr__(self, "_shortcut", None)  # made of attributes

    # Running

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the task does; from the decorated function, or defined by a subclass."""
        raise AttributeError(f"{type(self).__name__} has no `run`: define it, or decorate a function with @app.task")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and now, like a function."""
        from umbel.execution import request as requests  # here, as all that messages need is loaded late

        if self._was_begun(requests.served()) or self.is_async:
            return self.run(*args, **kwargs)
        token = requests.push(requests.Request(task=self.name, args=args, kwargs=kwargs, owner=self))
        try:
            if self.pydantic:
                return self._validated(args, kwargs)  # type: ignore[no-any-return]  # a model is given as plain values
            return self.run(*args, **kwargs)
        finally:
            requests.current.reset(token)

    def _validated(self, args: Any, kwargs: Any) -> Any:
        """What it returns for arguments that were made models, as in a worker."""
        from umbel.execution import arguments

        args, kwargs = arguments.validated(self, args, kwargs)
        return arguments.dumped(self, self.run(*args, **kwargs))

    def _was_begun(self, request: Request | None) -> bool:
        """True once in each run that a worker began with a `__call__` of a subclass, which goes on to the run itself."""
        if request is None or request.owner is not self or request.called_directly or request.get("entered"):
            return False
        entered = type(self).__call__ is not PLAIN_CALL
        request.update(entered=entered)
        return entered

    entry: Callable[..., Any] = property(attrgetter("run"))  # type: ignore[assignment]  # in C: it is asked for in each run
    """What a worker calls: `run`, or the task itself if its class has a `__call__` of its own."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__call__ is not PLAIN_CALL:
            cls.entry = property(_itself)  # type: ignore[assignment]  # as above

    @property
    def is_async(self) -> bool:
        """True if it is an `async def`."""
        run = self.run
        code = getattr(run, "__code__", None) or getattr(getattr(type(run), "__call__", None), "__code__", None)  # noqa: B004
        return code is not None and bool(code.co_flags & _COROUTINE)

    @property
    def request_stack(self) -> Stack:
        """The calls that it serves here and now."""
        from umbel.client.stack import Stack as StackOf  # for those who test a task's code by itself

        return StackOf(self)

    def push_request(self, *args: Any, **kwargs: Any) -> None:
        """Let a request with these attributes count as the one that it serves, until `pop_request`."""
        from umbel.execution import request as requests

        made = requests.Request(called_directly=False, task=self.name)
        made.update(*args, **kwargs)
        self.request_stack.push(made)

    def pop_request(self) -> Any:
        """End that; gives the request."""
        return self.request_stack.pop()

    @property
    def backend(self) -> Any:
        """Where its results are: the app's, unless another was put here."""
        return self.__dict__.get("_backend") or self.app.backend

    @backend.setter
    def backend(self, backend: Any) -> None:
        self.__dict__["_backend"] = backend

    @property
    def request(self) -> Request:
        """The call that it serves here and now; empty if none."""
        from umbel.execution import request as requests

        return requests.find(self) or requests.Request()

    # Sending

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> ResultOf[R]:
        """Send it with these arguments."""
        return self.apply_async(args, kwargs)

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send it once Django's transaction is committed, not at all if it is rolled back; at once if there is none."""
        from umbel.client.commit import on_commit  # most programs have no Django

        on_commit(partial(self.delay, *args, **kwargs))

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """The same with the arguments and options of `apply_async`."""
        from umbel.client.commit import on_commit  # as above

        on_commit(partial(self.apply_async, *args, **kwargs))

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
    ) -> ResultOf[R]:
        """Send it, with options: countdown, eta, expires, queue, priority, headers, time_limit and all others of Celery.

        TypeError if the arguments do not fit, EncodeError if one cannot be serialised: before anything is sent.
        """
        short = self._shortcut
        if short is None or short.version != short.conf.version:
            short = self.shortcut
        if args is None:
            args = ()
        elif not isinstance(args, (tuple, list)):
            args = _given().listed(self.name, args)
        if kwargs is None:
            kwargs = _NOTHING
        elif not isinstance(kwargs, dict):
            kwargs = _given().named(self.name, kwargs)
        fits = short.arguments
        if self.typing and (kwargs or not fits.least <= len(args) <= fits.most) and not fits.fit(args, kwargs):
            fits.check(args, kwargs)
        if (
            short.template is None
            or not (task_id is None is link is link_error is shadow)
            or options
            or short.aside() is not None
            or before_task_publish.receivers
            or after_task_publish.receivers
            or short.app.send_task != short.send_task
        ):
            options.update(task_id=task_id, link=link, link_error=link_error, shadow=shadow)
            return self._eagerly(args, kwargs, options) if short.is_eager else short.send(args, kwargs, options)
        id_ = short.new_id()
        try:
            envelope = short.template.fill(id_, args, kwargs)  # type: ignore[arg-type]  # any mapping is read alike
        except EncodeError as problem:
            raise short.blamed(problem) from problem
        short.outbox.send((envelope,))
        result: ResultOf[R] = short.result_type(id_, app=short.app)
        result.ignored = short.is_ignored
        return result

    def delay_many(self, calls: Iterable[Sequence[Any] | Mapping[str, Any]], **options: Any) -> Results[R]:
        """Send it once for each of `calls`, a thousand in one step: `add.delay_many([(1, 2), (3, 4), {"x": 5, "y": 6}])`.

        A call is a tuple of arguments, a dict of keyword arguments, or a signature. All have the same `options`. An error
        stops it where it stands: whole thousands before it are sent.
        """
        short = self.shortcut
        if short.is_eager or not is_plain(self.apply_async):
            return Results.of([self.apply_async(*as_pair(call), **options) for call in calls])
        ids = short.send_many(calls, options)
        ignored = options.get("ignore_result")
        return Results(ids, app=short.app, ignored=short.is_ignored if ignored is None else ignored)

    def _eagerly(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: dict[str, Any]) -> EagerResult[R]:
        """Run it at once instead of sending it, with arguments as a worker would get them."""
        from umbel.client.eager import as_received
        from umbel.messages.options import checked

        options = checked(self.name, options)
        if self.pydantic:
            from umbel.execution.arguments import sendable

            args, kwargs = sendable(self, args, kwargs)
        args, kwargs = as_received(self, args, kwargs, options.get("serializer"))
        return self.apply(args, kwargs, **options)

    @property
    def shadows(self) -> bool:
        """True if `shadow_name` is defined."""
        return getattr(self.shadow_name, "__func__", None) is not Task.shadow_name

    @property
    def shortcut(self) -> Shortcut:
        """The short way of its usual calls, by its attributes and the settings as they are now."""
        from umbel.client.shortcut import Shortcut  # all that writes messages is loaded with the first call

        short = self._shortcut
        if short is None or short.version != short.conf.version:
            short = self._shortcut = Shortcut(self, self.app)
        return short

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> ResultOf[R]:
        """Send it from asyncio: the loop goes on while the store works."""
        return await self.aapply_async(args, kwargs)

    async def aapply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> ResultOf[R]:
        """The same with options, as `apply_async` takes them."""
        import asyncio

        return await asyncio.to_thread(self.apply_async, args, kwargs, **options)

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
    ) -> EagerResult[R]:
        """Run it here and now as a worker would, retries included."""
        from umbel.client.canvas.stage import apply  # all that runs tasks is loaded late

        options.update(link=link, link_error=link_error, task_id=task_id, retries=retries, headers=headers)
        throw = bool(self.app.conf.task_eager_propagates) if throw is None else throw
        kwargs = {} if kwargs is None else dict(_given().named(self.name, kwargs))
        found: EagerResult[R] = apply(self, tuple(args or ()), kwargs, options, throw=throw)
        return found

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | str | None = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """End this run; the task runs again later, under the same id. `raise self.retry(…)` tells readers that it ends here.

        Raises `exc`, or MaxRetriesExceededError, if it was retried as often as it may be.
        """
        from umbel.execution import retry as retrying  # brings all that writes messages

        request = self.request
        if exc is None and request.called_directly:
            exc = sys.exception()  # who called it like a function sees what went wrong

        def send(args: Any, kwargs: Any, options: dict[str, Any]) -> list[Envelope]:
            found: list[Envelope] = self.app.relay.again(self, request, args, kwargs, options)
            return found

        options |= {"args": args, "kwargs": kwargs, "exc": exc, "eta": eta, "countdown": countdown, "max_retries": max_retries}
        found = retrying.retry(self, request, send, **options)
        if request.is_eager and not (is_plain(self.signature_from_request) and is_plain(self.signature)):
            drawn: Any = found.sig
            found.sig = self.signature_from_request(request, args, kwargs, **drawn["options"])
        if throw:
            raise found
        return found

    # Signatures

    @plain
    def signature(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Signature[R]:
        """A call that is not made yet: arguments, `immutable` and options."""
        return Signature(self, args, kwargs, options, app=self._app, **more)

    def subtask(self, *args: Any, **options: Any) -> Signature[R]:
        """The same, by its old name."""
        return self.signature(*args, **options)

    @plain
    def signature_from_request(
        self,
        request: Request | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: Any = None,
        **options: Any,
    ) -> Signature[R]:
        """The call that `request` (or what it serves now) is, once more; with what is given in the place of its own."""
        from umbel.execution.retry import once_more

        step = once_more(self.name, request or self.request, args, kwargs, {"queue": queue, **options})
        return self.signature(step.args, step.kwargs, {key: value for key, value in step.options.items() if value is not None})

    def s(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """A call that is not made yet; it may be given further arguments in front."""
        return self.signature(args, kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """The same, taking no further arguments."""
        return self.signature(args, kwargs, immutable=True)

    def map(self, it: Iterable[Any]) -> Any:
        """One message that runs it with each of these arguments, one after the other; its value is the list of values."""
        return Signature.composed("xmap")(self, it, app=self._app)

    def starmap(self, it: Iterable[Any]) -> Any:
        """The same with lists of arguments."""
        return Signature.composed("xstarmap")(self, it, app=self._app)

    def chunks(self, it: Iterable[Any], n: int) -> Any:
        """A group of messages, each of which runs it with `n` lists of arguments."""
        return Signature.composed("chunks")(self, it, n, app=self._app)

    # The canvas that it is a part of

    def replace(self, sig: Any) -> Any:
        """End this run; `sig` runs in its place, under its id: whoever waits, and whatever follows, gets the value of that."""
        from umbel.client.canvas.replace import replace

        return replace(self, self.on_replace(sig) or sig)

    def on_replace(self, sig: Any) -> Any:
        """Called with what is about to replace a run; may give something else."""
        return sig

    def add_to_chord(self, sig: Any, lazy: bool = False) -> Any:
        """Let `sig` be one more part of the chord that this run is a part of; it leaves with the end of this run.

        With `lazy` it is not sent, but given back to be sent by the caller.
        """
        from umbel.client.canvas.replace import add_to_chord

        return add_to_chord(self, sig, lazy=lazy)

    # Results

    def AsyncResult(self, task_id: str, **options: Any) -> ResultOf[R]:  # noqa: N802 - Celery's name
        """The result of a call by its id."""
        return ResultOf(task_id, app=self._app, **options)

    def update_state(self, task_id: str | None = None, state: str | None = None, meta: Any = None, **extra: Any) -> None:
        """Tell those who wait how far it is: any state of your own, with anything that can be serialised."""
        from umbel.wire.result import encode

        request = self.request
        id_ = task_id or request.id
        reading = self.app.reading()
        if reading.store is not None and not request.is_eager:
            if not id_:
                raise ValueError(f"{self.name}: outside of a run update_state needs a task_id")
            found = encode(id_, state or "", meta, serializer=reading.serializer, group_id=request.group, **extra)
            reading.store.store([found])

    def send_event(self, type_: str, retry: bool = True, retry_policy: Any = None, **fields: Any) -> None:
        """Tell those who watch of something about the call that runs: an event of any type, with fields that JSON has.

        It leaves at once, and nobody waits for it; what Celery takes about trying again is accepted, and changes nothing.
        """
        request = self.request
        self.app.events.of_node(request.hostname).send(type_, **{"uuid": request.id, **fields})

    def add_trail(self, result: ResultOf[Any]) -> ResultOf[Any]:
        """Count `result` among the children of the call that runs."""
        if self.trail:
            self.request.children.append(result.as_tuple())
        return result

    # What subclasses may define, besides the hooks

    def shadow_name(self, args: Any, kwargs: Any, options: Mapping[str, Any]) -> str | None:
        """Another name to show instead of the task's own; None for none."""
        return None

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Called when the task comes to its app."""

    def __reduce__(self) -> Any:
        return _by_name, (self.name,)

    def __repr__(self) -> str:
        return f"<task {self.name}>" if self.name else f"<task {type(self).__name__}>"


PLAIN_CALL = Task.__call__
"""What runs a task like a function, unless its class says otherwise."""


def _itself(task: Task[..., Any]) -> Task[..., Any]:
    return task


def _by_name(name: str) -> Task[..., Any]:
    return current.app().tasks[name]  # type: ignore[no-any-return]  # a registry of tasks
