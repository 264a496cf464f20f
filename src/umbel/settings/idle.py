"""Settings of Celery's that change nothing here: why that does no harm; or that they are refused, and what to do instead.

Where something is kept, who may read it and what runs is never taken without effect: such a setting is obeyed, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_RABBIT = "only RabbitMQ has a use for it, and messages are kept elsewhere"
_PATIENT = "umbel tries again until it works, for as long as it takes"
_CONNECTIONS = "each process opens the connections that it needs, and looks at each before it is used"
_OTHER_STORE = "it belongs to a result backend that umbel does not have"
_NO_DAEMON = "only a camera would go by it, `celery events --camera`"


class Refusal(NamedTuple):
    """A setting that is refused."""

    harms: Callable[[Any], bool]
    """True of a value that would mean something."""
    instead: str


_REFUSED: dict[str, Refusal] = {
    "worker_consumer": Refusal(bool, "umbel has no consumer to replace; hooks are signals, Task methods and `umbel.worker`"),
    "worker_agent": Refusal(bool, "umbel has no agents"),
    "worker_timer": Refusal(bool, "umbel has no timer to replace"),
    "worker_autoscaler": Refusal(bool, "umbel has no autoscaler of somebody else's: say how many with worker_concurrency"),
    "worker_pool_start_method": Refusal(lambda how: how not in (None, "fork"), "umbel's processes are forked, or use -P threads"),
    "worker_executable": Refusal(bool, "start the worker with that Python itself: /path/to/python -m umbel worker --detach"),
    "beat_executable": Refusal(bool, "start the beat with that Python itself: /path/to/python -m umbel beat --detach"),
    "task_protocol": Refusal(lambda version: version not in (None, 2), "umbel writes protocol 2, and reads 1 and 2"),
    "task_create_missing_queue_exchange_type": Refusal(
        lambda kind: kind not in (None, "direct", "topic"), "umbel does not copy a message to several queues"
    ),
    "task_default_exchange_type": Refusal(
        lambda kind: kind not in (None, "direct", "topic"), "umbel does not copy a message to several queues"
    ),
    "security_key": Refusal(bool, "umbel does not sign messages: let only those into the store who may send, and use TLS"),
    "security_certificate": Refusal(bool, "umbel does not check signatures: let only those into the store who may send"),
    "security_cert_store": Refusal(bool, "umbel does not check signatures: let only those into the store who may send"),
    "override_backends": Refusal(bool, "bring the class by an entry point of the group umbel.stores"),
    "redis_backend_credential_provider": Refusal(bool, "put user and password into result_backend"),
}

_HARMLESS: Mapping[str, str] = {
    **dict.fromkeys(("broker_connection_max_retries", "broker_channel_error_retry"), _PATIENT),
    **dict.fromkeys(
        (
            *("broker_heartbeat", "broker_heartbeat_checkrate", "broker_login_method", "result_exchange", "result_exchange_type"),
            *("broker_native_delayed_delivery_queue_type", "task_create_missing_queue_type", "task_default_queue_type"),
            *(
                "worker_detect_quorum_queues",
                "event_queue_exclusive",
                "control_exchange",
                "event_queue_durable",
            ),
            *("control_queue_durable", "control_queue_exclusive", "event_queue_prefix"),
        ),
        _RABBIT,
    ),
    **dict.fromkeys(
        (
            *("broker_pool_limit", "broker_pool_acquire_timeout", "redis_max_connections", "redis_socket_keepalive"),
            *("redis_retry_on_timeout", "redis_backend_health_check_interval", "redis_client_name"),
        ),
        _CONNECTIONS,
    ),
    "task_repr_maxlevels": "arguments in logs are cut by their length, at any depth",
    "task_default_exchange": "queues are found by their names",
    "task_default_routing_key": "queues are found by their names",
    "task_allow_error_cb_on_chord_header": "errors of a header's tasks always go to the chord",
    "task_default_delivery_mode": "messages outlive the store's restart, as far as the store itself does",
    "task_queue_max_priority": "every queue has the priorities 0 to 9",
    "task_remote_tracebacks": "tracebacks come back as text",
    **dict.fromkeys(("event_queue_expires", "event_queue_ttl"), "no events are kept"),
    **dict.fromkeys(("control_queue_expires", "control_queue_ttl"), "there are no queues of commands to keep"),
    "result_cache_max": "a program keeps the results that it holds, and no others",
    "result_compression": "results are written as they are, so that anybody can read them",
    "result_persistent": "results outlive the store's restart, as far as the store itself does",
    "result_failure_expires": "failures are kept for as long as other results",
    "result_chord_expires": "parts of a chord are kept for as long as other results",
    **dict.fromkeys(("result_chord_join_timeout", "result_chord_retry_interval"), "nobody waits for the parts of a chord"),
    **dict.fromkeys(
        (
            *("result_backend_always_retry", "result_backend_max_retries"),
            *("result_backend_base_sleep_between_retries_ms", "result_backend_max_sleep_between_retries_ms"),
        ),
        _PATIENT,
    ),
    "result_backend_thread_safe": "every result store may be used by any thread",
    "worker_timer_precision": "there is no timer that could be more or less precise",
    "worker_cancel_long_running_tasks_on_connection_loss": "what runs goes on, and stays this worker's for broker_lease",
    "worker_deduplicate_successful_tasks": "a result and the end of its message are written in one step",
    "worker_enable_prefetch_count_reduction": "what a worker held before a loss is still its own after it",
    "worker_enable_soft_shutdown_on_idle": "a worker that runs nothing has nothing to wait for",
    "worker_eta_task_limit": "what is not due waits in the store, and not in a worker",
    "worker_lost_wait": "a process that dies is noticed at once",
    "worker_pool_putlocks": "no process is given more than it can take",
    "worker_proc_alive_timeout": "a process that does not come up is replaced",
    "worker_state_db": "the store remembers what was revoked",
    "beat_schedule_filename": "the store remembers what was sent last",
    "security_key_password": "no key is used",
    "security_digest": "no signatures are made",
    "db_reuse_max": "a database connection is kept as long as Django's CONN_MAX_AGE says",
}

_OF_OTHER_STORES = (
    *("database_", "cache_", "mongodb_", "couchbase_", "arangodb_", "cassandra_", "s3_", "gcs_", "azureblockblob_"),
    *("cosmosdbsql_", "elasticsearch_", "dynamodb_"),
)


def harmless(name: str) -> str | None:
    """Why it does no harm that the setting of this name changes nothing; None for one of which that is not true."""
    if name in _REFUSED:
        return None
    if name.startswith(_OF_OTHER_STORES):
        return _OTHER_STORE
    if name.startswith("events_"):
        return _NO_DAEMON
    return _HARMLESS.get(name)


def refusal(name: str, value: Any) -> str | None:
    """What to do instead of giving a refused setting this value; None for a value that does no harm."""
    found = _REFUSED.get(name)
    return found.instead if found and found.harms(value) else None


def is_refused(name: str) -> bool:
    """True if it is refused, unless its value says nothing."""
    return name in _REFUSED


def instead(name: str) -> str:
    """What to do instead of setting a refused one."""
    return _REFUSED[name].instead
