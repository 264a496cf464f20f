"""The table of all settings: Celery's names, types and defaults, its old names, and umbel's own few.

Every setting can also come from the environment as `UMBEL_<NAME>`. Those in the second half change nothing here: either that does
no harm, and is said once, so that a project's configuration needs no change; or they are refused. `idle.py` says which, and why.
"""

from __future__ import annotations

from typing import Any


class Setting:
    """One setting."""

    __slots__ = ("default", "effect", "help", "kind", "name", "old")

    def __init__(self, name: str, kind: str, default: Any, old: tuple[str, ...], help: str, *, effect: bool):
        self.name = name
        self.kind = kind
        """A key of `kinds.KINDS`."""
        self.default = default
        self.old = old
        """Upper-case names of Celery 3, accepted without a namespace."""
        self.help = help
        self.effect = effect
        """False: it changes nothing; `idle.py` says why that does no harm, or what to do instead."""

    def __lt__(self, other: Setting) -> bool:
        """By name."""
        return self.name < other.name

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return f"UMBEL_{self.name.upper()}"


OVERRIDES = {
    "broker_url": "CELERY_BROKER_URL",
    "broker_read_url": "CELERY_BROKER_READ_URL",
    "broker_write_url": "CELERY_BROKER_WRITE_URL",
    "result_backend": "CELERY_RESULT_BACKEND",
}
"""The environment variables that win over whatever the program sets, as Celery has it."""

_POLICY = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1}
_LOG = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"
_TASK_LOG = "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s"
_CANCEL = "D_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS"

# name, kind, default, old name (its prefix shortened: see _old), help
_Row = tuple[str, str, Any, str, str]

_KEPT: tuple[_Row, ...] = (
    ("accept_content", "names", ("json",), "C_ACCEPT_CONTENT", "Serializers and content types that may be read."),
    ("result_accept_content", "names", None, "", "The same for results; unset: as accept_content."),
    ("enable_utc", "flag", True, "C_ENABLE_UTC", "What timezone is where it is unset: UTC (False: this machine's zone)."),
    (
        "timezone",
        "any",
        None,
        "C_TIMEZONE",
        "Time zone whose wall clock schedules go by: a name or a tzinfo. Calls' times without a zone are UTC.",
    ),
    ("imports", "names", (), "C_IMPORTS", "Modules with tasks that a worker imports at its start."),
    ("include", "names", (), "C_INCLUDE", "More such modules; imported after imports."),
    # Broker
    (
        "broker_url",
        "places",
        None,
        "",
        "Where messages wait (several: the next is for when one is away); unset: the file umbel.db.",
    ),
    ("broker_read_url", "places", None, "", "Where workers take messages from, if it is not broker_url."),
    ("broker_write_url", "places", None, "", "Where messages are sent to, if it is not broker_url."),
    ("broker_failover_strategy", "any", None, "", "Order of several places: round-robin (unset), or shuffle."),
    ("broker_transport", "text", None, "", "Scheme of a broker_url that has none, or of what the next five say."),
    ("broker_host", "text", None, "", "Host, where there is no broker_url."),
    ("broker_port", "whole", None, "", "Its port."),
    ("broker_user", "text", None, "", "User there."),
    ("broker_password", "text", None, "", "Password there."),
    ("broker_vhost", "any", None, "", "Number of the database there."),
    ("broker_use_ssl", "any", False, "", "TLS: True, or a dict of ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs."),
    ("broker_connection_timeout", "seconds", 4.0, "", "Patience when connecting, if it is set; else 2 s."),
    ("broker_transport_options", "mapping", {}, "", "Options of the store that broker_url names."),
    (
        "broker_connection_retry",
        "flag",
        True,
        "",
        "What the next is if it is unset. After a loss a worker always connects again.",
    ),
    ("broker_connection_retry_on_startup", "flag", None, "", "Whether a worker waits for a store that is away when it starts."),
    ("broker_lease", "seconds", 30.0, "", "How long a worker that shows no sign of life keeps what it holds."),
    ("broker_publish_timeout", "seconds", 5.0, "", "Longest time that sending may take, all attempts together."),
    # Tasks
    (
        "task_acks_on_failure_or_timeout",
        "flag",
        True,
        "C_ACKS_ON_FAILURE_OR_TIMEOUT",
        "False: a late task that failed or took too long is buried.",
    ),
    ("task_acks_on_failure", "flag", None, "C_ACKS_ON_FAILURE", "The same for failures alone, where it is set."),
    ("task_acks_on_timeout", "flag", None, "C_ACKS_ON_TIMEOUT", "The same for time limits alone, where it is set."),
    (
        "task_retry_on_worker_lost",
        "flag",
        False,
        "C_RETRY_ON_WORKER_LOST",
        "A run whose process died is a retry, and counted as one.",
    ),
    ("task_acks_late", "flag", True, "C_ACKS_LATE", "A task whose worker died runs again (False: is told as failed)."),
    (
        "task_allow_error_cb_on_chord_header",
        "flag",
        False,
        "C_ALLOW_ERROR_CB_ON_CHORD_HEADER",
        "Errbacks of a chord are those of each of its parts, too.",
    ),
    ("task_always_eager", "flag", False, "C_ALWAYS_EAGER", "Run tasks at once in the calling process, for tests."),
    ("task_eager_propagates", "flag", False, "C_EAGER_PROPAGATES_EXCEPTIONS", "Eager tasks raise what they raise."),
    ("task_store_eager_result", "flag", False, "C_STORE_EAGER_RESULT", "Results of eager tasks are kept as well."),
    ("task_annotations", "any", None, "C_ANNOTATIONS", "Attributes to change on tasks: {name or '*': {attribute: value}}."),
    ("task_compression", "text", None, "C_MESSAGE_COMPRESSION", "Compression of messages: gzip, bzip2, lzma, zstd, brotli."),
    ("task_create_missing_queues", "flag", True, "C_CREATE_MISSING_QUEUES", "Queues need not be in task_queues."),
    ("task_inherit_parent_priority", "flag", False, "C_INHERIT_PARENT_PRIORITY", "Tasks take the priority of their sender."),
    ("task_default_queue", "text", "celery", "C_DEFAULT_QUEUE", "Where tasks go that no route sends elsewhere."),
    ("task_default_rate_limit", "any", None, "C_DEFAULT_RATE_LIMIT", "Rate limit of tasks that have none: '10/m'."),
    ("task_default_priority", "whole", None, "C_DEFAULT_PRIORITY", "Priority of tasks that have none: 0 to 9, 9 is most urgent."),
    ("task_ignore_result", "flag", False, "C_IGNORE_RESULT", "Results are not kept."),
    ("task_max_deliveries", "whole", 5, "", "So often a message is handed out before it goes to the dead letters."),
    ("task_publish_retry", "flag", True, "C_TASK_PUBLISH_RETRY", "Sending is tried again while the store is away."),
    ("task_publish_retry_policy", "policy", _POLICY, "C_TASK_PUBLISH_RETRY_POLICY", "How often, and with which pauses."),
    ("task_queues", "queues", None, "C_QUEUES", "The queues: names, a dict of options by name, or objects with a name."),
    ("task_routes", "routes", None, "C_ROUTES", "Which task goes to which queue: dict, list, function or its path."),
    ("task_reject_on_worker_lost", "flag", None, "C_REJECT_ON_WORKER_LOST", "False: a late task does not outlive its worker."),
    ("task_dead_limit", "whole", 100000, "", "So many dead letters are kept; of more the oldest go (None: none goes)."),
    ("task_dead_ttl", "seconds", 2592000.0, "", "So long dead letters are kept (None: for ever)."),
    ("task_revoke_ttl", "seconds", 2592000.0, "", "So long the store remembers that a task was revoked, unless it is met."),
    ("task_serializer", "text", "json", "C_TASK_SERIALIZER", "How arguments travel: json, msgpack, yaml, pickle."),
    (
        "task_shared_with_celery",
        "flag",
        False,
        "",
        "Workers of Celery serve the queues, too: messages hold only what they know.",
    ),
    ("task_soft_time_limit", "seconds", None, "D_TASK_SOFT_TIME_LIMIT", "After this a task is interrupted and may clean up."),
    ("task_time_limit", "seconds", None, "D_TASK_TIME_LIMIT", "After this a task is ended."),
    ("task_store_errors_even_if_ignored", "flag", False, "C_STORE_ERRORS_EVEN_IF_IGNORED", "Failures are kept always."),
    ("task_track_started", "flag", False, "C_TRACK_STARTED", "The state STARTED is told."),
    ("task_unknown_ttl", "seconds", 600.0, "", "So long messages of unknown tasks wait for another worker (0: not at all)."),
    # Results
    (
        "result_backend",
        "text",
        None,
        "C_RESULT_BACKEND",
        "Where results are kept; unset: with messages in a file or memory.",
    ),
    ("result_expires", "seconds", 86400.0, "C_TASK_RESULT_EXPIRES", "How long results are kept; None or 0: for ever."),
    ("result_extended", "flag", False, "C_RESULT_EXTENDED", "Results tell name, arguments, worker, retries and queue."),
    ("result_serializer", "text", "json", "C_RESULT_SERIALIZER", "How results are written."),
    ("result_backend_transport_options", "mapping", {}, "C_RESULT_BACKEND_TRANSPORT_OPTIONS", "Options of that store."),
    ("redis_backend_use_ssl", "any", None, "C_REDIS_BACKEND_USE_SSL", "TLS for results, as broker_use_ssl is for messages."),
    ("redis_host", "text", None, "C_REDIS_HOST", "Host, where result_backend is just redis."),
    ("redis_port", "whole", None, "C_REDIS_PORT", "Its port."),
    ("redis_db", "any", None, "C_REDIS_DB", "Number of the database there."),
    ("redis_username", "text", None, "C_REDIS_USERNAME", "User there."),
    ("redis_password", "text", None, "C_REDIS_PASSWORD", "Password there."),
    ("redis_socket_timeout", "seconds", 120.0, "C_REDIS_SOCKET_TIMEOUT", "Patience for answers about results, if set; else 5 s."),
    ("redis_socket_connect_timeout", "seconds", None, "C_REDIS_SOCKET_CONNECT_TIMEOUT", "... when connecting; unset: 2 s."),
    # Worker
    ("worker_concurrency", "slots", None, "D_CONCURRENCY", "Processes or threads; unset or 'auto': one for each processor."),
    ("worker_async_concurrency", "whole", 1000, "", "How many `async def` tasks run at once."),
    ("worker_pool", "text", "prefork", "D_POOL", "What runs tasks: prefork, threads, asyncio or solo."),
    (
        "worker_prefetch_multiplier",
        "whole",
        None,
        "D_PREFETCH_MULTIPLIER",
        "Tasks held for each process; unset: a moment's work.",
    ),
    ("worker_disable_prefetch", "flag", False, "D_DISABLE_PREFETCH", "A worker holds no more than what runs."),
    ("worker_direct", "flag", False, "C_WORKER_DIRECT", "Each worker also serves a queue of its own: its name and .dq."),
    ("worker_max_tasks_per_child", "whole", None, "D_MAX_TASKS_PER_CHILD", "A process is replaced after so many tasks."),
    ("worker_max_memory_per_child", "whole", None, "D_MAX_MEMORY_PER_CHILD", "... or beyond so many KiB of memory."),
    ("task_send_sent_event", "flag", False, "C_SEND_TASK_SENT_EVENT", "Events for sent tasks."),
    ("worker_send_task_events", "flag", False, "C_SEND_EVENTS", "Events for what becomes of tasks."),
    ("event_exchange", "text", "celeryev", "C_EVENT_EXCHANGE", "Exchange for events."),
    ("event_serializer", "text", "json", "C_EVENT_SERIALIZER", "How events travel."),
    ("worker_disable_rate_limits", "flag", False, "C_DISABLE_RATE_LIMITS", "Rate limits are not kept."),
    ("worker_enable_remote_control", "flag", True, "C_ENABLE_REMOTE_CONTROL", "Remote commands are obeyed."),
    ("worker_refused_commands", "names", (), "", "Remote commands that are not: ('shutdown', 'pool_shrink')."),
    ("worker_pool_restarts", "flag", False, "D_POOL_RESTARTS", "The remote command pool_restart is obeyed."),
    ("control_exchange", "text", "celery", "", "Under which name remote control travels."),
    ("worker_warm_stop_timeout", "seconds", None, "", "How long a warm stop waits before work goes back to its queue."),
    ("worker_soft_shutdown_timeout", "seconds", 0.0, "D_SOFT_SHUTDOWN_TIMEOUT", "How long a cold stop lets run what runs."),
    ("worker_hijack_root_logger", "flag", True, "D_HIJACK_ROOT_LOGGER", "The worker sets up the root logger."),
    ("worker_redirect_stdouts", "flag", True, "C_REDIRECT_STDOUTS", "What tasks print goes to the log."),
    ("worker_redirect_stdouts_level", "text", "WARNING", "C_REDIRECT_STDOUTS_LEVEL", "... at this level."),
    ("worker_log_color", "flag", None, "D_LOG_COLOR", "Colours in the log; unset: on a terminal."),
    ("worker_log_format", "text", _LOG, "D_LOG_FORMAT", "Format of log lines."),
    ("worker_log_datefmt", "text", None, "D_LOG_DATEFMT", "Format of their times."),
    ("worker_task_log_datefmt", "text", None, "D_TASK_LOG_DATEFMT", "Format of times in these."),
    ("worker_task_log_format", "text", _TASK_LOG, "D_TASK_LOG_FORMAT", "Format of log lines written by tasks."),
    ("worker_pidfile", "text", None, "", "File for the process id."),
    ("worker_logfile", "text", None, "", "File for the log."),
    ("worker_uid", "any", None, "", "User to become."),
    ("worker_gid", "any", None, "", "Group to become."),
    ("worker_umask", "any", None, "", "File mode mask to set."),
    # Beat
    ("beat_schedule", "mapping", {}, "B_SCHEDULE", "What is sent when: entries by name."),
    ("beat_scheduler", "any", None, "B_SCHEDULER", "Class of a scheduler of your own: its path, or an entry point's name."),
    ("beat_max_loop_interval", "number", 0, "B_MAX_LOOP_INTERVAL", "Longest sleep of a scheduler of your own."),
    ("beat_sync_every", "whole", 0, "B_SYNC_EVERY", "A scheduler of your own saves what ran after so many."),
    ("beat_cron_starting_deadline", "whole", None, "B_CRON_STARTING_DEADLINE", "A crontab missed longer ago is not made up for."),
    ("beat_pidfile", "text", None, "", "File for the process id of the beat."),
    ("beat_logfile", "text", None, "", "File for its log."),
    ("beat_uid", "any", None, "", "User for it to become."),
    ("beat_gid", "any", None, "", "Group for it to become."),
    ("beat_umask", "any", None, "", "File mode mask for it to set."),
    ("beat_enable_remote_control", "flag", False, "B_ENABLE_REMOTE_CONTROL", "A beat answers `inspect ping`."),
    (
        "beat_remote_control_max_tick_age",
        "number",
        None,
        "B_REMOTE_CONTROL_MAX_TICK_AGE",
        "Seconds for which a beat may be at one thing and still answers; unset: 60.",
    ),
    ("beat_store", "text", None, "", "Where the schedule is kept; unset: with the messages."),
)

_ACCEPTED: tuple[_Row, ...] = (
    ("broker_connection_max_retries", "whole", 100, "", "So often."),
    ("broker_channel_error_retry", "flag", False, "", "Try again after channel errors."),
    ("broker_heartbeat", "number", 120, "", "AMQP heartbeats."),
    ("broker_heartbeat_checkrate", "number", 3.0, "", "How often they are looked at."),
    ("broker_login_method", "text", None, "", "AMQP login method."),
    ("broker_native_delayed_delivery_queue_type", "text", "quorum", "", "Type of delay queues."),
    ("broker_pool_limit", "whole", 10, "", "Connections at once."),
    ("broker_pool_acquire_timeout", "seconds", None, "", "Patience for one of them."),
    ("task_repr_maxlevels", "whole", 3, "C_REPR_MAXLEVELS", "How deep arguments are shown in logs."),
    ("task_default_exchange", "text", None, "C_DEFAULT_EXCHANGE", "Exchange of queues that name none."),
    ("task_default_exchange_type", "text", "direct", "C_DEFAULT_EXCHANGE_TYPE", "Type of that exchange."),
    ("task_default_routing_key", "text", None, "C_DEFAULT_ROUTING_KEY", "Routing key of queues that name none."),
    ("task_create_missing_queue_type", "text", "classic", "C_CREATE_MISSING_QUEUE_TYPE", "Type of queues made on the way."),
    ("task_create_missing_queue_exchange_type", "text", None, "C_CREATE_MISSING_QUEUE_EXCHANGE_TYPE", "... of their exchange."),
    ("task_default_delivery_mode", "any", 2, "C_DEFAULT_DELIVERY_MODE", "Transient or persistent (always persistent)."),
    ("task_default_queue_type", "text", "classic", "C_DEFAULT_QUEUE_TYPE", "Type of the default queue."),
    ("task_protocol", "whole", 2, "C_TASK_PROTOCOL", "Message protocol (2 is written, 1 and 2 are read)."),
    ("task_queue_max_priority", "whole", None, "C_QUEUE_MAX_PRIORITY", "Priorities of a queue (always 0 to 9)."),
    ("task_remote_tracebacks", "flag", False, "C_REMOTE_TRACEBACKS", "Rebuild traceback objects."),
    ("result_cache_max", "whole", -1, "C_MAX_CACHED_RESULTS", "Results kept in memory."),
    ("result_compression", "text", None, "C_RESULT_COMPRESSION", "Compression of results."),
    ("result_exchange", "text", "celeryresults", "C_RESULT_EXCHANGE", "Exchange for results."),
    ("result_exchange_type", "text", "direct", "C_RESULT_EXCHANGE_TYPE", "Its type."),
    ("result_persistent", "flag", None, "C_RESULT_PERSISTENT", "Results outlive the store's restart."),
    ("result_chord_expires", "seconds", None, "C_RESULT_CHORD_EXPIRES", "Age of chord counters."),
    ("result_chord_join_timeout", "seconds", 3.0, "C_RESULT_CHORD_JOIN_TIMEOUT", "Patience for parts of a chord."),
    ("result_chord_retry_interval", "seconds", 1.0, "C_RESULT_CHORD_RETRY_INTERVAL", "Pause between looks."),
    ("result_failure_expires", "seconds", None, "C_RESULT_FAILURE_EXPIRES", "Age of failures."),
    ("result_backend_always_retry", "flag", False, "C_RESULT_BACKEND_ALWAYS_RETRY", "Try again to keep results (always so)."),
    ("result_backend_max_retries", "number", float("inf"), "C_RESULT_BACKEND_MAX_RETRIES", "So often."),
    ("result_backend_base_sleep_between_retries_ms", "whole", 10, "C_RESULT_BACKEND_BASE_SLEEP_BETWEEN_RETRIES_MS", "Pause."),
    ("result_backend_max_sleep_between_retries_ms", "whole", 10000, "C_RESULT_BACKEND_MAX_SLEEP_BETWEEN_RETRIES_MS", "Pause."),
    ("result_backend_thread_safe", "flag", False, "", "Share one result store among threads (always so)."),
    ("override_backends", "mapping", None, "C_OVERRIDE_BACKENDS", "Classes by scheme."),
    ("redis_max_connections", "whole", None, "C_REDIS_MAX_CONNECTIONS", "Connections at once."),
    ("redis_socket_keepalive", "flag", False, "C_REDIS_SOCKET_KEEPALIVE", "TCP keep-alive."),
    ("redis_retry_on_timeout", "flag", False, "C_REDIS_RETRY_ON_TIMEOUT", "Ask again after a timeout."),
    ("redis_backend_health_check_interval", "number", None, "", "Seconds between checks."),
    ("redis_client_name", "text", None, "", "Name of the connection."),
    ("redis_backend_credential_provider", "any", None, "", "Where credentials come from."),
    ("database_url", "text", None, "C_RESULT_DBURI", "Database for results."),
    ("database_engine_options", "mapping", {}, "C_RESULT_ENGINE_OPTIONS", "Options of its engine."),
    ("database_engine_callback", "any", None, "", "Called with its engine."),
    ("database_short_lived_sessions", "flag", False, "C_RESULT_DB_SHORT_LIVED_SESSIONS", "A session for each use."),
    ("database_table_schemas", "mapping", None, "", "Schemas of its tables."),
    ("database_table_names", "mapping", None, "C_RESULT_DB_TABLENAMES", "Names of its tables."),
    ("database_create_tables_at_setup", "flag", True, "", "Create its tables."),
    ("cache_backend", "text", None, "C_CACHE_BACKEND", "Cache for results."),
    ("cache_backend_options", "mapping", {}, "C_CACHE_BACKEND_OPTIONS", "Its options."),
    ("mongodb_backend_settings", "mapping", None, "C_MONGODB_BACKEND_SETTINGS", "MongoDB for results."),
    ("couchbase_backend_settings", "mapping", None, "C_COUCHBASE_BACKEND_SETTINGS", "Couchbase for results."),
    ("arangodb_backend_settings", "mapping", None, "C_ARANGODB_BACKEND_SETTINGS", "ArangoDB for results."),
    *(
        (f"{store}_{part}", "any", None, f"C_{store}_{part}".upper(), "Another store for results.")
        for store, parts in {
            "cassandra": "auth_kwargs auth_provider bundle_path entry_ttl keyspace options port read_consistency servers table "
            "write_consistency",
            "s3": "access_key_id base_path bucket endpoint_url region secret_access_key",
            "gcs": "base_path bucket project threadpool_maxsize ttl",
            "azureblockblob": "base_path connection_timeout container_name read_timeout retry_increment_base "
            "retry_initial_backoff_sec retry_max_attempts",
            "cosmosdbsql": "collection_name consistency_level database_name max_retry_attempts max_retry_wait_time",
            "elasticsearch": "max_retries retry_on_timeout save_meta_as_text timeout",
            "dynamodb": "endpoint_url",
        }.items()
        for part in parts.split()
    ),
    ("worker_agent", "any", None, "D_AGENT", "Class of the agent."),
    ("worker_autoscaler", "any", None, "D_AUTOSCALER", "Class of the autoscaler."),
    ("worker_consumer", "any", None, "D_CONSUMER", "Class of the consumer."),
    ("worker_timer", "any", None, "D_TIMER", "Class of the timer."),
    ("worker_timer_precision", "number", 1.0, "D_TIMER_PRECISION", "Its precision."),
    ("worker_cancel_long_running_tasks_on_connection_loss", "flag", False, _CANCEL, "Cancel what runs when the store is lost."),
    ("worker_deduplicate_successful_tasks", "flag", False, "D_DEDUPLICATE_SUCCESSFUL_TASKS", "Skip what has succeeded before."),
    ("worker_detect_quorum_queues", "flag", True, "D_DETECT_QUORUM_QUEUES", "Look for quorum queues."),
    ("worker_enable_prefetch_count_reduction", "flag", True, "D_ENABLE_PREFETCH_COUNT_REDUCTION", "Hold less after a loss."),
    ("worker_enable_soft_shutdown_on_idle", "flag", False, "D_ENABLE_SOFT_SHUTDOWN_ON_IDLE", "Soft stop when idle, too."),
    ("worker_eta_task_limit", "whole", None, "D_ETA_TASK_LIMIT", "Tasks that wait in a worker (none do)."),
    ("worker_lost_wait", "seconds", 10.0, "D_WORKER_LOST_WAIT", "Patience for a lost process."),
    ("worker_pool_putlocks", "flag", True, "D_POOL_PUTLOCKS", "Submit only to free processes (always so)."),
    ("worker_pool_start_method", "text", "fork", "D_POOL_START_METHOD", "How processes begin."),
    ("worker_proc_alive_timeout", "seconds", 4.0, "D_PROC_ALIVE_TIMEOUT", "Patience for a new process."),
    ("worker_state_db", "text", None, "D_STATE_DB", "File for what a worker remembers."),
    ("worker_executable", "text", None, "", "Python to start with."),
    ("beat_schedule_filename", "text", "celerybeat-schedule", "B_SCHEDULE_FILENAME", "File for what was sent last."),
    *(
        (f"events_{part}", "any", None, "", "For running in the background.")
        for part in ("pidfile", "logfile", "uid", "gid", "umask", "executable")
    ),
    ("beat_executable", "text", None, "", "Python to start with."),
    ("event_queue_durable", "flag", False, "C_EVENT_QUEUE_DURABLE", "Event queues outlive the store's restart."),
    ("event_queue_exclusive", "flag", True, "C_EVENT_QUEUE_EXCLUSIVE", "Event queues have one reader."),
    ("event_queue_expires", "seconds", 60.0, "C_EVENT_QUEUE_EXPIRES", "Age of event queues."),
    ("event_queue_prefix", "text", "celeryev", "C_EVENT_QUEUE_PREFIX", "How their names begin."),
    ("event_queue_ttl", "seconds", 5.0, "C_EVENT_QUEUE_TTL", "Age of events."),
    ("control_queue_durable", "flag", False, "", "Control queues outlive the store's restart."),
    ("control_queue_exclusive", "flag", True, "", "Control queues have one reader."),
    ("control_queue_expires", "seconds", 10.0, "", "Age of control queues."),
    ("control_queue_ttl", "seconds", 300.0, "", "Age of commands."),
    ("security_key", "text", None, "C_SECURITY_KEY", "Key that signs messages."),
    ("security_key_password", "any", None, "C_SECURITY_KEY_PASSWORD", "Its password."),
    ("security_certificate", "text", None, "C_SECURITY_CERTIFICATE", "Its certificate."),
    ("security_cert_store", "text", None, "C_SECURITY_CERT_STORE", "Certificates of others."),
    ("security_digest", "text", "sha256", "C_SECURITY_DIGEST", "Digest of signatures."),
    ("db_reuse_max", "whole", None, "C_DB_REUSE_MAX", "Tasks for each Django database connection."),
)

_PREFIXES = {"C": "CELERY_", "D": "CELERYD_", "B": "CELERYBEAT_"}


def _old(name: str, short: str) -> tuple[str, ...]:
    """The upper-case name (`C_`, `D_`, `B_` stand for Celery 3's prefixes); that of a broker setting is its own in capitals."""
    if not short:
        return (name.upper(),) if name.startswith("broker_") else ()
    letter, _, rest = short.partition("_")
    return (_PREFIXES[letter] + rest,)


TABLE: tuple[Setting, ...] = tuple(
    Setting(name, kind, default, _old(name, old), text, effect=effect)
    for rows, effect in ((_KEPT, True), (_ACCEPTED, False))
    for name, kind, default, old, text in rows
)
