"""The signals of tasks and workers, with Celery's names and arguments; receivers run where and when the signal is sent."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from umbel import guise

log = guise.logger("umbel.signals")

Receiver = Callable[..., Any]
R = TypeVar("R", bound=Receiver)

_TAKES_KWARGS = 0x08  # CO_VARKEYWORDS of code objects, without importing `inspect` into every client
_PAUSES = range(2, 20, 2)  # seconds between the attempts of a receiver connected with `retry`: a minute and a half in all


class Connection:
    """One receiver as it was connected."""

    __slots__ = ("key", "receiver", "retry", "sender")

    def __init__(self, key: object, receiver: Callable[[], Receiver | None], sender: object, retry: bool):
        self.key = key
        self.receiver = receiver  # called without arguments it gives the receiver, or None if that is gone
        self.sender = sender
        self.retry = retry


class Signal:
    """Something that happens, and those who want to be told.

    Sending with no receivers costs a fraction of a microsecond; where even the keyword arguments cost something,
    ask `if signal.receivers:` first. `receivers` is replaced, never changed, so that sending needs no lock.
    """

    __slots__ = ("name", "providing_args", "receivers")

    def __init__(self, name: str = "", providing_args: Iterable[str] = ()):
        self.name = name
        self.providing_args = frozenset(providing_args)
        self.receivers: tuple[Connection, ...] = ()

    @overload
    def connect(
        self, receiver: R, sender: object = None, weak: bool = True, dispatch_uid: object = None, retry: bool = False
    ) -> R: ...

    @overload
    def connect(
        self, receiver: None = None, sender: object = None, weak: bool = True, dispatch_uid: object = None, retry: bool = False
    ) -> Callable[[R], R]: ...

    def connect(
        self,
        receiver: R | None = None,
        sender: object = None,
        weak: bool = True,
        dispatch_uid: object = None,
        retry: bool = False,
    ) -> R | Callable[[R], R]:
        """Call `receiver(signal=…, sender=…, **arguments)` from now on; also a decorator, with or without arguments.

        With `sender`, only for what that one sends. A `weak` receiver is forgotten with its last other reference. A second
        connection of the same receiver (or the same `dispatch_uid`) and sender replaces the first. With `retry`, a
        receiver that raises is called again, with growing pauses.
        """
        if receiver is None:
            return lambda function: self.connect(function, sender, weak, dispatch_uid, retry)
        if not callable(receiver):
            raise TypeError(f"a receiver of {self.name or 'a signal'} must be callable, not {receiver!r}")
        if not _takes_kwargs(receiver):
            raise ValueError(
                f"receiver {receiver!r} of {self.name or 'a signal'} must accept keyword arguments: add **kwargs to its own"
            )
        key = dispatch_uid if dispatch_uid is not None else _identity(receiver)
        others = (c for c in self.receivers if c.key != key or not _same(c.sender, sender))
        self.receivers = (*others, Connection(key, _reference(receiver) if weak else lambda: receiver, sender, retry))
        return receiver

    def disconnect(
        self, receiver: Receiver | None = None, sender: object = None, weak: bool | None = None, dispatch_uid: object = None
    ) -> bool:
        """Stop calling `receiver`, named as it was connected; True if it was. `weak` is accepted and means nothing."""
        key = dispatch_uid if dispatch_uid is not None else _identity(receiver)
        before = self.receivers
        self.receivers = tuple(c for c in before if c.key != key or not _same(c.sender, sender))
        return len(self.receivers) < len(before)

    def has_listeners(self, sender: object = None) -> bool:
        """True if someone would be told of what `sender` sends."""
        return any(c.receiver() is not None and (c.sender is None or _same(c.sender, sender)) for c in self.receivers)

    def send(self, sender: object, **arguments: Any) -> list[tuple[Receiver, Any]]:
        """Call the receivers in the order in which they were connected; gives each with what it returned, or the error it raised.

        Errors are logged and reach nobody else.
        """
        responses: list[tuple[Receiver, Any]] = []
        for connection in self.receivers:
            if connection.sender is not None and not _same(connection.sender, sender):
                continue
            receiver = connection.receiver()
            if receiver is None:
                self.receivers = tuple(c for c in self.receivers if c is not connection)
            else:
                responses.append((receiver, self._tell(connection, receiver, sender, arguments)))
        return responses

    send_robust = send

    def tell(self, sender: object, **arguments: Any) -> None:
        """Send where nothing that a receiver raises may end who sends: `SystemExit` and its like are logged as well."""
        try:
            self.send(sender, **arguments)
        except BaseException:
            log.exception("A receiver of signal %s would have ended its process", self.name or self)

    def _tell(self, connection: Connection, receiver: Receiver, sender: object, arguments: dict[str, Any]) -> Any:
        for pause in (*_PAUSES, None) if connection.retry else (None,):
            try:
                return receiver(signal=self, sender=sender, **arguments)
            except Exception as error:
                log.exception("Receiver %r of signal %s failed", receiver, self.name or self)
                if pause is None:
                    return error
                time.sleep(pause)
        raise AssertionError("the last attempt returns")  # pragma: no cover

    def __repr__(self) -> str:
        return f"<Signal: {self.name} providing_args={sorted(self.providing_args)}>"


def _identity(receiver: object) -> object:
    """What stays the same when a bound method is taken from its object a second time."""
    owner = getattr(receiver, "__self__", None)
    return id(receiver) if owner is None else (id(owner), id(getattr(receiver, "__func__", receiver)))


def _same(connected: object, sender: object) -> bool:
    """True if these are one sender; equality is asked too, since names are strings and tasks may stand behind proxies."""
    return connected is sender or bool(connected == sender)


def _reference(receiver: Any) -> Callable[[], Receiver | None]:
    bound = hasattr(receiver, "__func__") and getattr(receiver, "__self__", None) is not None
    return weakref.WeakMethod(receiver) if bound else weakref.ref(receiver)


def _takes_kwargs(receiver: Any) -> bool:
    code = getattr(getattr(receiver, "__func__", receiver), "__code__", None)
    if code is not None and not hasattr(receiver, "__wrapped__"):
        return bool(code.co_flags & _TAKES_KWARGS)
    import inspect  # only for receivers that are no plain functions

    try:
        parameters = inspect.signature(receiver, follow_wrapped=False).parameters.values()
    except ValueError:  # built-in, without a signature: it will say so itself when it is called
        return True
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


# -- a task on its way, told where it is sent ---------------------------------------------------------------------------
before_task_publish = Signal(
    "before_task_publish", ("body", "exchange", "routing_key", "headers", "properties", "declare", "retry_policy")
)
after_task_publish = Signal("after_task_publish", ("body", "exchange", "routing_key", "headers"))
task_sent = Signal("task_sent", ("task_id", "task", "args", "kwargs", "eta", "taskset"))

# -- told by the worker -------------------------------------------------------------------------------------------------
task_received = Signal("task_received", ("request",))
task_revoked = Signal("task_revoked", ("request", "terminated", "signum", "expired"))
task_rejected = Signal("task_rejected", ("message", "exc"))
task_unknown = Signal("task_unknown", ("message", "exc", "name", "id"))

# -- told where the task runs -------------------------------------------------------------------------------------------
task_prerun = Signal("task_prerun", ("task_id", "task", "args", "kwargs"))
task_postrun = Signal("task_postrun", ("task_id", "task", "args", "kwargs", "retval", "state"))
task_success = Signal("task_success", ("result", "runtime"))
task_failure = Signal("task_failure", ("task_id", "exception", "args", "kwargs", "traceback", "einfo"))
task_retry = Signal("task_retry", ("request", "reason", "einfo"))
task_internal_error = Signal("task_internal_error", ("task_id", "args", "kwargs", "request", "exception", "traceback", "einfo"))

# -- an app and its worker ----------------------------------------------------------------------------------------------
import_modules = Signal("import_modules")
celeryd_init = Signal("celeryd_init", ("instance", "conf", "options"))
celeryd_after_setup = Signal("celeryd_after_setup", ("instance", "conf"))
worker_init = Signal("worker_init")
worker_before_create_process = Signal("worker_before_create_process")
worker_process_init = Signal("worker_process_init")
worker_process_shutdown = Signal("worker_process_shutdown", ("pid", "exitcode"))
worker_ready = Signal("worker_ready")
worker_batch_done = Signal("worker_batch_done")
"""umbel's own: a thread of the worker's parent process has written a batch, or told of a lost run. It runs in that thread, where
receivers let go of what was opened for it, such as a connection to a database."""
worker_shutting_down = Signal("worker_shutting_down", ("sig", "how", "exitcode"))
worker_shutdown = Signal("worker_shutdown")
heartbeat_sent = Signal("heartbeat_sent")

# -- logging ------------------------------------------------------------------------------------------------------------
setup_logging = Signal("setup_logging", ("loglevel", "logfile", "format", "colorize"))
after_setup_logger = Signal("after_setup_logger", ("logger", "loglevel", "logfile", "format", "colorize"))
after_setup_task_logger = Signal("after_setup_task_logger", ("logger", "loglevel", "logfile", "format", "colorize"))

# -- the scheduler, and pools that umbel does not have (so that code which connects to them still loads) ------------------
beat_init = Signal("beat_init")
beat_embedded_init = Signal("beat_embedded_init")
eventlet_pool_started = Signal("eventlet_pool_started")
eventlet_pool_preshutdown = Signal("eventlet_pool_preshutdown")
eventlet_pool_postshutdown = Signal("eventlet_pool_postshutdown")
eventlet_pool_apply = Signal("eventlet_pool_apply", ("target", "args", "kwargs"))
user_preload_options = Signal("user_preload_options", ("app", "options"))
