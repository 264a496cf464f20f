"""Classes from which result stores of others derive; umbel's worker and results use them by their Celery names."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from celery import states
from celery._names import later
from celery._state import get_current_task as get_current_task
from celery.exceptions import BackendGetMetaError, BackendStoreError, ImproperlyConfigured, TaskRevokedError, TimeoutError
from celery.utils.log import get_logger
from umbel.wire.failure import exception_in, exception_out

EXCEPTION_ABLE_CODECS = frozenset({"pickle"})
E_NO_BACKEND = "No result backend is configured: set result_backend to learn what became of tasks."
logger = get_logger(__name__)


def unpickle_backend(cls: Any, args: Any, kwargs: Any) -> Any:
    """A store made again."""
    from celery._state import get_current_app

    return cls(*args, app=get_current_app(), **kwargs)


class Backend:
    """Keeps what became of tasks.

    A subclass defines `_store_result`, `_get_task_meta_for`, `_forget` and, for groups, `_save_group`, `_restore_group`,
    `_delete_group`.
    """

    READY_STATES = states.READY_STATES
    UNREADY_STATES = states.UNREADY_STATES
    EXCEPTION_STATES = states.EXCEPTION_STATES
    TimeoutError = TimeoutError

    subpolling_interval: float | None = None
    """Seconds between two looks of who waits; None: as the one who waits says."""
    supports_native_join = False
    supports_autoexpire = False
    supports_result_compression = False
    supports_failure_expires = False
    persistent = True
    thread_safe = False

    def __init__(
        self,
        app: Any,
        serializer: str | None = None,
        max_cached_results: int | None = None,
        accept: Any = None,
        expires: Any = None,
        expires_type: Any = None,
        url: str | None = None,
        **kwargs: Any,
    ):
        from kombu.serialization import prepare_accept_content, registry

        self.app = app
        conf = app.conf
        self.serializer = serializer or conf.result_serializer
        self.content_type, self.content_encoding, self.encoder = registry._encoders[self.serializer]
        self.expires = self.prepare_expires(expires, expires_type)
        self.max_cached_results = max_cached_results
        accept = conf.result_accept_content if accept is None else accept
        self.accept = prepare_accept_content(conf.accept_content if accept is None else accept)
        self.always_retry = conf.result_backend_always_retry
        self.max_sleep_between_retries_ms = conf.result_backend_max_sleep_between_retries_ms
        self.base_sleep_between_retries_ms = conf.result_backend_base_sleep_between_retries_ms
        self.max_retries = conf.result_backend_max_retries
        self.url = url

    def as_uri(self, include_password: bool = False) -> str:
        """Where it is."""
        from celery.app.utils import sanitize_url

        url = self.url or ""
        return url if include_password else sanitize_url(url, "**")

    # Telling

    def mark_as_started(self, task_id: str, **meta: Any) -> Any:
        """The task runs."""
        return self.store_result(task_id, meta, states.STARTED)

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = states.SUCCESS
    ) -> None:
        """The task has ended well."""
        if store_result:
            self.store_result(task_id, result, state, request=request)

    def mark_as_failure(
        self,
        task_id: str,
        exc: BaseException,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        call_errbacks: bool = True,
        state: str = states.FAILURE,
    ) -> None:
        """The task has failed."""
        if store_result:
            self.store_result(task_id, exc, state, traceback=traceback, request=request)

    def mark_as_revoked(
        self, task_id: str, reason: str = "", request: Any = None, store_result: bool = True, state: str = states.REVOKED
    ) -> None:
        """The task was revoked."""
        if store_result:
            self.store_result(task_id, TaskRevokedError(reason), state, traceback=None, request=request)

    def mark_as_retry(
        self,
        task_id: str,
        exc: BaseException,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        state: str = states.RETRY,
    ) -> Any:
        """The task will run again."""
        return self.store_result(task_id, exc, state, traceback=traceback, request=request)

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        """Keep what became of a task; tried again as `result_backend_always_retry` says."""
        value = self.encode_result(result, state)

        def store() -> Any:
            self._store_result(task_id, value, state, traceback, request=request, **kwargs)
            return value

        def failed(problem: Exception) -> BackendStoreError:
            return BackendStoreError(
                f"the result of task {task_id} could not be written: {problem}", task_id=task_id, state=state
            )

        return self._insist(store, failed)

    def _insist(self, step: Callable[[], Any], failed: Callable[[Exception], Exception]) -> Any:
        from celery.utils.time import get_exponential_backoff_interval

        retries = 0
        while True:
            try:
                return step()
            except Exception as problem:
                if not (self.always_retry and self.exception_safe_to_retry(problem)):
                    raise
                if retries >= self.max_retries:
                    raise failed(problem) from problem
                retries += 1
                self.on_backend_retryable_error(problem)
                base, most = self.base_sleep_between_retries_ms, self.max_sleep_between_retries_ms
                time.sleep(get_exponential_backoff_interval(base, retries, most, True) / 1000)

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """True if trying again may help; subclasses say."""
        return False

    def on_backend_retryable_error(self, exc: BaseException) -> None:
        """Called before each further attempt."""

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _store_result()")

    # Values and bytes

    def encode_result(self, result: Any, state: str) -> Any:
        """The value as it is kept."""
        if state in self.EXCEPTION_STATES and isinstance(result, BaseException):
            return self.prepare_exception(result)
        return self.prepare_value(result)

    def prepare_exception(self, exc: BaseException, serializer: str | None = None) -> Any:
        """What stands for an exception."""
        return exception_out(exc, serializer or self.serializer)

    def exception_to_python(self, exc: Any) -> Any:
        """The exception again."""
        if isinstance(exc, BaseException) or not exc:
            return exc
        return exception_in(exc if isinstance(exc, Mapping) else {"exc_type": "Exception", "exc_message": exc})

    def prepare_value(self, result: Any) -> Any:
        """A value as it can be kept."""
        from celery.result import ResultBase

        if self.serializer != "pickle" and isinstance(result, ResultBase):
            return result.as_tuple()  # type: ignore[attr-defined]  # all that derive from it have one
        return result

    def _encode(self, data: Any) -> tuple[str, str, Any]:
        """Content type, encoding and bytes."""
        from kombu.serialization import dumps

        return dumps(data, serializer=self.serializer)  # type: ignore[no-any-return]  # three of them

    def encode(self, data: Any) -> Any:
        """Bytes or text."""
        return self._encode(data)[2]

    def decode(self, payload: Any) -> Any:
        """The value again."""
        from kombu.serialization import loads

        if payload is None:
            return payload
        return loads(payload, content_type=self.content_type, content_encoding=self.content_encoding, accept=self.accept)

    def decode_result(self, payload: Any) -> Any:
        """A result's meta again."""
        return self.meta_from_decoded(self.decode(payload))

    def meta_from_decoded(self, meta: Any) -> Any:
        """A result's meta with its exception made again."""
        if meta["status"] in self.EXCEPTION_STATES:
            meta["result"] = self.exception_to_python(meta["result"])
        return meta

    def prepare_expires(self, value: Any, type: Any = None) -> Any:
        """How long results are kept."""
        value = self.app.conf.result_expires if value is None else value
        if isinstance(value, datetime.timedelta):
            value = value.total_seconds()
        return type(value) if value is not None and type else value

    def prepare_persistent(self, enabled: bool | None = None) -> bool:
        """True if results outlive a restart of the store."""
        if enabled is not None:
            return enabled
        found = self.app.conf.result_persistent
        return self.persistent if found is None else bool(found)

    def _get_result_meta(
        self, result: Any, state: str, traceback: Any, request: Any, format_date: bool = True, encode: bool = False
    ) -> dict[str, Any]:
        done: Any = datetime.datetime.now(datetime.UTC) if state in self.READY_STATES else None
        if done is not None and format_date:
            done = done.isoformat()
        meta = {
            "status": state,
            "result": result,
            "traceback": traceback,
            "children": self.current_task_children(request),
            "date_done": done,
        }
        if request is not None and getattr(request, "group", None):
            meta["group_id"] = request.group
        if request is not None and getattr(request, "parent_id", None):
            meta["parent_id"] = request.parent_id
        if self.app.conf.result_extended and request is not None:
            info = getattr(request, "delivery_info", None) or {}
            found = {
                "name": getattr(request, "task", None),
                "args": getattr(request, "args", None),
                "kwargs": getattr(request, "kwargs", None),
                "worker": getattr(request, "hostname", None),
                "retries": getattr(request, "retries", None),
                "queue": info.get("routing_key"),
            }
            if encode:
                found |= {key: self.encode(found[key]) for key in ("args", "kwargs")}
            meta.update(found)
        return meta

    def current_task_children(self, request: Any = None) -> list[Any]:
        """What the call that runs has sent, as tuples."""
        request = request or getattr(get_current_task(), "request", None)
        children = (getattr(request, "children", None) if request is not None else None) or []
        return [child.as_tuple() if hasattr(child, "as_tuple") else child for child in children]

    # Asking

    def get_task_meta(self, task_id: str, cache: bool = True) -> dict[str, Any]:
        """All that is known of a task."""

        def fetch() -> Any:
            return self._get_task_meta_for(task_id)

        def failed(problem: Exception) -> BackendGetMetaError:
            return BackendGetMetaError(f"the result of task {task_id} could not be read: {problem}", task_id=task_id)

        return self._insist(fetch, failed)  # type: ignore[no-any-return]  # a dict

    def _get_task_meta_for(self, task_id: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _get_task_meta_for()")

    def get_state(self, task_id: str) -> str:
        """Where the task stands."""
        return self.get_task_meta(task_id)["status"]  # type: ignore[no-any-return]  # text

    get_status = get_state

    def get_traceback(self, task_id: str) -> Any:
        """The traceback of what it raised."""
        return self.get_task_meta(task_id).get("traceback")

    def get_result(self, task_id: str) -> Any:
        """Its value."""
        return self.get_task_meta(task_id).get("result")

    def get_children(self, task_id: str) -> Any:
        """The results of what it has sent."""
        from celery.result import result_from_tuple

        found = self.get_task_meta(task_id).get("children")
        return None if found is None else [result_from_tuple(child, self.app) for child in found]

    def task_result_exists(self, task_id: str) -> bool:
        """True if anything is known of it."""
        return self.get_task_meta(task_id)["status"] != states.PENDING

    def wait_for(
        self, task_id: str, timeout: float | None = None, interval: float = 0.5, no_ack: bool = True, on_interval: Any = None
    ) -> dict[str, Any]:
        """Wait for the end of a task; gives what is known of it then."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            meta = self.get_task_meta(task_id)
            if meta["status"] in self.READY_STATES:
                return meta
            if on_interval:
                on_interval()
            if end is not None and time.monotonic() >= end:
                raise self.TimeoutError(f"task {task_id} did not end within {timeout:g} s")
            time.sleep(interval)

    def is_cached(self, task_id: str) -> bool:
        """False: nothing is kept in memory."""
        return False

    def reload_task_result(self, task_id: str) -> None:
        """Nothing, as above."""

    reload_group_result = reload_task_result

    # Forgetting

    def forget(self, task_id: str) -> None:
        """Delete what is known of a task."""
        self._forget(task_id)

    def _forget(self, task_id: str) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no _forget()")

    def cleanup(self) -> None:
        """Remove what is past its age."""

    def process_cleanup(self) -> None:
        """Called when a process of the pool ends."""

    def on_task_call(self, producer: Any, task_id: str) -> Any:
        """Called when a task is sent."""
        return {}

    # Groups and chords

    def save_group(self, group_id: str, result: Any) -> Any:
        """Keep the results of a group."""
        return self._save_group(group_id, result)

    def restore_group(self, group_id: str, cache: bool = True) -> Any:
        """The results of a group that was kept."""
        meta = self.get_group_meta(group_id, cache=cache)
        return meta["result"] if meta else None

    def get_group_meta(self, group_id: str, cache: bool = True) -> Any:
        """All that is known of a group."""
        return self._restore_group(group_id)

    def delete_group(self, group_id: str) -> Any:
        """Forget a group."""
        return self._delete_group(group_id)

    def _save_group(self, group_id: str, result: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _save_group()")

    def _restore_group(self, group_id: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _restore_group()")

    def _delete_group(self, group_id: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _delete_group()")

    def ensure_chords_allowed(self) -> None:
        """Nothing, where chords are possible."""

    def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> Any:
        """Begin a chord."""
        raise later("chords")

    def on_chord_part_return(self, request: Any, state: Any, result: Any, **kwargs: Any) -> Any:
        """A part of a chord has ended."""

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """A chord has so many parts."""

    def add_to_chord(self, chord_id: str, result: Any) -> Any:
        """A chord has one more part."""
        raise later("Task.add_to_chord")

    def chord_error_from_stack(self, callback: Any, exc: Any = None) -> Any:
        """The body of a chord cannot run."""
        exc = exc or sys.exception() or ImproperlyConfigured("a part of the chord failed")
        self.store_result(callback.id, exc, states.FAILURE)
        return exc

    def __reduce__(self) -> Any:
        return unpickle_backend, (type(self), (), {"expires": self.expires, "url": self.url})


class SyncBackendMixin:
    """For stores that have to be asked again and again."""

    def iter_native(
        self,
        result: Any,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
    ) -> Iterator[Any]:
        """Each result of a set as it comes."""
        yield from result.iter_native(timeout, interval, no_ack, on_message, on_interval)

    def wait_for_pending(
        self,
        result: Any,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        callback: Any = None,
        propagate: bool = True,
    ) -> Any:
        """Wait for a result."""
        return result.get(timeout=timeout, interval=interval, on_interval=on_interval, propagate=propagate, callback=callback)

    def add_pending_result(self, result: Any, weak: bool = False) -> Any:
        """Nothing to be done."""
        return result

    def remove_pending_result(self, result: Any) -> Any:
        """Nothing to be done."""
        return result

    @property
    def is_async(self) -> bool:
        """False: it has to be asked."""
        return False


class BaseBackend(Backend, SyncBackendMixin):
    """For stores of any kind."""


BaseDictBackend = BaseBackend


class BaseKeyValueStoreBackend(Backend):
    """For stores that keep bytes by keys: a subclass defines `get`, `set`, `delete`, and where it can `mget` and `incr`."""

    key_t: Any = None
    task_keyprefix: Any = "celery-task-meta-"
    group_keyprefix: Any = "celery-taskset-meta-"
    chord_keyprefix: Any = "chord-unlock-"
    implements_incr = False

    def __init__(self, *args: Any, **kwargs: Any):
        from kombu.utils.encoding import ensure_bytes

        if self.key_t is None or hasattr(self.key_t, "__func__"):
            self.key_t = ensure_bytes
        super().__init__(*args, **kwargs)
        self._add_global_keyprefix()

    def _add_global_keyprefix(self) -> None:
        prefix = (self.app.conf.result_backend_transport_options or {}).get("global_keyprefix")
        if prefix:
            self.task_keyprefix = f"{prefix}_{self.task_keyprefix}"
            self.group_keyprefix = f"{prefix}_{self.group_keyprefix}"
            self.chord_keyprefix = f"{prefix}_{self.chord_keyprefix}"

    def get(self, key: Any) -> Any:
        """The bytes of a key."""
        raise NotImplementedError(f"{type(self).__name__} has no get()")

    def mget(self, keys: Any) -> Any:
        """The bytes of many keys."""
        raise NotImplementedError(f"{type(self).__name__} has no mget()")

    def set(self, key: Any, value: Any) -> Any:
        """Keep bytes."""
        raise NotImplementedError(f"{type(self).__name__} has no set()")

    def _set_with_state(self, key: Any, value: Any, state: str) -> Any:
        return self.set(key, value)

    def delete(self, key: Any) -> Any:
        """Forget a key."""
        raise NotImplementedError(f"{type(self).__name__} has no delete()")

    def incr(self, key: Any) -> Any:
        """Count a key up."""
        raise NotImplementedError(f"{type(self).__name__} has no incr()")

    def expire(self, key: Any, value: Any) -> Any:
        """Let a key end."""

    def get_key_for_task(self, task_id: Any, key: Any = "") -> Any:
        """The key of a task's result."""
        return self._key(self.task_keyprefix, task_id, key)

    def get_key_for_group(self, group_id: Any, key: Any = "") -> Any:
        """The key of a group."""
        return self._key(self.group_keyprefix, group_id, key)

    def get_key_for_chord(self, group_id: Any, key: Any = "") -> Any:
        """The key of a chord."""
        return self._key(self.chord_keyprefix, group_id, key)

    def _key(self, prefix: Any, id_: Any, key: Any) -> Any:
        if not id_:
            raise ValueError(f"{id_!r} is no id")
        return self.key_t("").join(map(self.key_t, (prefix, id_, key)))

    def _strip_prefix(self, key: Any) -> Any:
        from kombu.utils.encoding import bytes_to_str

        key = self.key_t(key)
        for prefix in map(self.key_t, (self.task_keyprefix, self.group_keyprefix)):
            if key.startswith(prefix):
                return bytes_to_str(key[len(prefix) :])
        return bytes_to_str(key)

    def get_many(
        self,
        task_ids: Any,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        max_iterations: int | None = None,
        READY_STATES: Any = states.READY_STATES,  # noqa: N803 - Celery's name
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each result as it comes."""
        open_, rounds = [str(id_) for id_ in task_ids], 0
        end = None if timeout is None else time.monotonic() + timeout
        while open_:
            for id_ in list(open_):
                meta = self.get_task_meta(id_)
                if meta["status"] in READY_STATES:
                    open_.remove(id_)
                    if on_message is not None:
                        on_message(meta)
                    yield id_, meta
            rounds += 1
            if max_iterations and rounds >= max_iterations:
                return
            if open_:
                if end is not None and time.monotonic() >= end:
                    raise TimeoutError(f"{len(open_)} tasks did not end within {timeout:g} s")
                if on_interval:
                    on_interval()
                time.sleep(interval)

    def _forget(self, task_id: str) -> None:
        self.delete(self.get_key_for_task(task_id))

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        meta["task_id"] = str(task_id)
        if self._get_task_meta_for(task_id)["status"] != states.SUCCESS:  # a success stays
            self._set_with_state(self.get_key_for_task(task_id), self.encode(meta), state)
        return result

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        found = self.get(self.get_key_for_task(task_id))
        if not found:
            return {"status": states.PENDING, "result": None}
        return self.decode_result(found)  # type: ignore[no-any-return]  # a dict

    def _save_group(self, group_id: str, result: Any) -> Any:
        self._set_with_state(self.get_key_for_group(group_id), self.encode({"result": result.as_tuple()}), states.SUCCESS)
        return result

    def _delete_group(self, group_id: str) -> None:
        self.delete(self.get_key_for_group(group_id))

    def _restore_group(self, group_id: str) -> Any:
        from celery.result import result_from_tuple

        found = self.get(self.get_key_for_group(group_id))
        if not found:
            return None
        meta = self.decode(found)
        meta["result"] = result_from_tuple(meta["result"], self.app)
        return meta


class KeyValueStoreBackend(BaseKeyValueStoreBackend, SyncBackendMixin):
    """The same, for stores that have to be asked again and again."""


class DisabledBackend(BaseBackend):
    """Keeps nothing; asking it raises NotImplementedError."""

    _cache: dict[str, Any] = {}  # noqa: RUF012 - Celery's

    def store_result(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def ensure_chords_allowed(self) -> None:
        """Chords are not possible."""
        raise NotImplementedError("Chords need a result backend: set result_backend")

    def _is_disabled(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(E_NO_BACKEND)

    def as_uri(self, *args: Any, **kwargs: Any) -> str:
        """`disabled://`."""
        return "disabled://"

    get_state = get_status = get_result = get_traceback = get_task_meta_for = wait_for = get_many = _is_disabled
    get_task_meta = get_children = forget = _is_disabled
