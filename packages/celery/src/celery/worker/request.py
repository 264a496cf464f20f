"""A message for a task, as a worker holds it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery._names import lacks
from celery.app import app_or_default
from celery.utils.imports import symbol_by_name
from celery.utils.log import get_logger

logger = get_logger(__name__)
debug, info, warn, error = logger.debug, logger.info, logger.warning, logger.error

_WORKER = "the signals task_received, task_failure and task_revoked"


def _noop(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


class Request:
    """What a message says, and how it is answered.

    Receivers of signals and code of others find here what they ask for. umbel's worker makes one for each call of a task whose
    `Request` is another class, and tells it what becomes of the call.
    """

    acknowledged = False
    time_start: float | None = None
    worker_pid: int | None = None
    time_limits: Any = (None, None)
    _already_revoked = False

    def __init__(
        self,
        message: Any,
        on_ack: Any = _noop,
        hostname: str | None = None,
        eventer: Any = None,
        app: Any = None,
        connection_errors: Any = None,
        request_dict: Any = None,
        task: Any = None,
        on_reject: Any = _noop,
        body: Any = None,
        headers: Any = None,
        decoded: bool = False,
        utc: bool = True,
        maybe_make_aware: Any = None,
        maybe_iso8601: Any = None,
        **opts: Any,
    ):
        self._message = message
        self._request_dict = dict(message.headers if headers is None else headers) if request_dict is None else request_dict
        self._body = message.body if body is None else body
        self._decoded = decoded
        self._utc = utc
        self._content_type = None if decoded else getattr(message, "content_type", None)
        self._content_encoding = None if decoded else getattr(message, "content_encoding", None)
        self._app = app_or_default(app)
        self._hostname = hostname
        self._eventer = eventer
        self._connection_errors = connection_errors or ()
        self._on_ack, self._on_reject = on_ack, on_reject
        told = self._request_dict
        self.id = told["id"]
        self._type = self.name = told["task"]
        if told.get("shadow"):
            self.name = told["shadow"]
        self.time_limits = told.get("timelimit") or self.time_limits
        self._task = task or self._app.tasks[self._type]
        self._eta, self._expires = self._moment(told.get("eta")), self._moment(told.get("expires"))
        self._delivery_info = dict(getattr(message, "delivery_info", None) or {})
        properties = dict(getattr(message, "properties", None) or {})
        self._delivery_info.setdefault("priority", properties.get("priority"))
        self._properties = properties
        self._root_id, self._parent_id = told.get("root_id"), told.get("parent_id")
        told.update(properties=properties, headers=dict(getattr(message, "headers", None) or {}), hostname=hostname)
        told.setdefault("ignore_result", False)

    @staticmethod
    def _moment(text: Any) -> datetime | None:
        if not text:
            return None
        found = datetime.fromisoformat(text) if isinstance(text, str) else text
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def _payload(self) -> Any:
        return self._body if self._decoded else self._message.payload

    def _embed(self) -> dict[str, Any]:
        payload = self._payload
        return payload[2] if isinstance(payload, (list, tuple)) and len(payload) == 3 else payload

    args = property(lambda self: self._payload[0])
    kwargs = property(lambda self: self._payload[1])
    message = property(lambda self: self._message)
    request_dict = property(lambda self: self._request_dict)
    body = property(lambda self: self._body)
    app = property(lambda self: self._app)
    utc = property(lambda self: self._utc)
    content_type = property(lambda self: self._content_type)
    content_encoding = property(lambda self: self._content_encoding)
    type = property(lambda self: self._type)
    root_id = property(lambda self: self._root_id)
    parent_id = property(lambda self: self._parent_id)
    argsrepr = property(lambda self: self._request_dict.get("argsrepr"))
    kwargsrepr = property(lambda self: self._request_dict.get("kwargsrepr"))
    task = property(lambda self: self._task)
    task_id = property(lambda self: self.id)
    task_name = property(lambda self: self.name)
    eta = property(lambda self: self._eta)
    expires = property(lambda self: self._expires)
    on_ack = property(lambda self: self._on_ack)
    on_reject = property(lambda self: self._on_reject)
    hostname = property(lambda self: self._hostname)
    eventer = property(lambda self: self._eventer)
    connection_errors = property(lambda self: self._connection_errors)
    delivery_info = property(lambda self: self._delivery_info)
    ignore_result = property(lambda self: self._request_dict.get("ignore_result", False))
    reply_to = property(lambda self: self._properties.get("reply_to"))
    correlation_id = property(lambda self: self._properties.get("correlation_id"))
    replaced_task_nesting = property(lambda self: self._request_dict.get("replaced_task_nesting", 0))
    stamped_headers = property(lambda self: self._request_dict.get("stamped_headers") or [])
    stamps = property(lambda self: {name: self._request_dict.get("stamps", {}).get(name) for name in self.stamped_headers})
    groups = property(lambda self: self._request_dict.get("groups", []))
    group = property(lambda self: self._request_dict.get("group"))
    group_index = property(lambda self: self._request_dict.get("group_index"))
    chord = property(lambda self: self._embed().get("chord"))
    errbacks = property(lambda self: self._embed().get("errbacks"))
    tzlocal = property(lambda self: self._app.timezone)
    store_errors = property(lambda self: not self._task.ignore_result or self._task.store_errors_even_if_ignored)

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What it is, as data."""
        info = self._delivery_info
        return {
            "id": self.id,
            "name": self.name,
            "args": self.argsrepr if safe else self.args,
            "kwargs": self.kwargsrepr if safe else self.kwargs,
            "type": self._type,
            "hostname": self._hostname,
            "time_start": self.time_start,
            "acknowledged": self.acknowledged,
            "delivery_info": {key: info.get(key) for key in ("exchange", "routing_key", "priority", "redelivered")},
            "worker_pid": self.worker_pid,
        }

    def humaninfo(self) -> str:
        """Its name and id."""
        return f"{self.name}[{self.id}]"

    def acknowledge(self) -> None:
        """Say that it was taken; once."""
        if not self.acknowledged:
            self._on_ack(logger, self._connection_errors)
            self.acknowledged = True

    def reject(self, requeue: bool = False) -> None:
        """Give it back, or to the dead; once."""
        if not self.acknowledged:
            self._on_reject(logger, self._connection_errors, requeue)
            self.acknowledged = True

    def maybe_expire(self) -> bool:
        """True if its time is over."""
        return self._expires is not None and datetime.now(UTC) > self._expires

    def revoked(self) -> bool:
        """True if its time is over; what was revoked, umbel's stores know."""
        return self.maybe_expire()

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """A limit has passed. For subclasses, which are told in the worker's own process; all else is done already."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """It has failed. For subclasses, which are told in the worker's own process; all else is done already."""

    def on_success(self, failed__retval__runtime: Any, **kwargs: Any) -> Any:
        """It has succeeded. For subclasses, which are told in the worker's own process; all else is done already."""

    def on_retry(self, exc_info: Any) -> Any:
        """It is to be retried. For subclasses, which are told in the worker's own process; all else is done already."""

    def on_accepted(self, pid: int, time_accepted: float) -> Any:
        """A process has begun it. For subclasses, which are told in the worker's own process; all else is done already."""

    def execute_using_pool(self, pool: Any, **kwargs: Any) -> Any:
        """Run it."""
        raise lacks("Request.execute_using_pool", _WORKER)

    def execute(self, loglevel: Any = None, logfile: Any = None) -> Any:
        """Run it here."""
        raise lacks("Request.execute", "task.apply(args, kwargs)")

    def terminate(self, pool: Any, signal: Any = None) -> Any:
        """End its run."""
        raise lacks("Request.terminate", "app.control.revoke(id, terminate=True)")

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> Any:
        """End its run, to be repeated."""
        raise lacks("Request.cancel", "app.control.revoke(id, terminate=True)")

    def send_event(self, type: str, **fields: Any) -> Any:
        """Send an event about it, if its worker tells of tasks, and of this one."""
        if self._eventer is not None and self._eventer.enabled and self._task.send_events:
            self._eventer.send(type, uuid=self.id, **fields)

    def __str__(self) -> str:
        return self.humaninfo()

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__}: {self.humaninfo()} {self.argsrepr} {self.kwargsrepr}>"


def is_own(kind: Any) -> bool:
    """True for a class of requests that is not Celery's."""
    return kind not in (None, "celery.worker.request:Request") and getattr(kind, "__module__", "") != "celery.worker.request"


class _Message:
    """A message as requests look at it."""

    def __init__(self, ticket: Any):
        self.headers = ticket.request_dict
        self.body = ticket.body
        self.content_type, self.content_encoding = ticket.content_type, ticket.content_encoding
        self.delivery_info = ticket.delivery_info
        self.properties = {"correlation_id": ticket.correlation_id, "reply_to": ticket.reply_to}
        self.payload = ticket.message.args, ticket.message.kwargs, {}


class _Eventer:
    """What sends events of a worker's requests."""

    def __init__(self, worker: Any):
        self._worker = worker

    @property
    def enabled(self) -> bool:
        """True while the worker tells of tasks."""
        return bool(self._worker.events.is_on)

    def send(self, type: str, **fields: Any) -> Any:
        """Send one."""
        return self._worker.app.events.of_node(self._worker.hostname).send(type, **fields)


def watch(sender: Any, **_: Any) -> None:
    """Let the worker make a request of the task's own class for each call of a task that has one."""
    for task in sender.app.tasks.values():
        if not is_own(getattr(task, "Request", None)):
            continue
        kind = symbol_by_name(task.Request)

        def make(ticket: Any, kind: Any = kind) -> Any:
            return kind(_Message(ticket), app=ticket.app, task=ticket.task, hostname=sender.hostname, eventer=_Eventer(sender))

        sender.watchers[task.name] = make


def create_request_cls(base: Any, task: Any, pool: Any, hostname: str, eventer: Any, **kwargs: Any) -> Any:
    """A class of requests for one task."""
    raise lacks("celery.worker.request.create_request_cls", _WORKER)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
