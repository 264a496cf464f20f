"""A URL of a store, taken apart."""

from __future__ import annotations

from typing import Any

import msgspec

from umbel import guise
from umbel.errors import ImproperlyConfigured

log = guise.logger("umbel.stores")

OF_TRANSPORTS = frozenset(
    {
        *("max_retries", "interval_start", "interval_step", "interval_max", "retry_errors", "errback", "callback"),
        *("visibility_timeout", "polling_interval", "priority_steps", "queue_order_strategy", "sep", "global_keyprefix"),
        *("fanout_prefix", "fanout_patterns", "ack_emulation", "unacked_restore_limit", "max_connections", "client_name"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options", "retry_on_timeout"),
        *("health_check_interval", "reauth_check_interval", "sentinel_kwargs", "master_name", "min_other_sentinels"),
        *(
            "confirm_publish",
            "confirm_timeout",
            "heartbeat",
            "login_method",
            "read_timeout",
            "write_timeout",
            "client_properties",
        ),
        *("failover_strategy", "queue_ttl", "body_encoding", "deadletter_queue", "native_delayed_delivery"),
        *("region", "queue_name_prefix", "predefined_queues", "wait_time_seconds", "is_secure", "queue_tags"),
        *("data_folder_in", "data_folder_out", "data_folder_processed", "store_processed", "control_folder"),
        *("retry_policy", "result_chord_ordered", "additional_connection_errors"),
    }
)
"""Options that transports and result backends of Celery's have. A store that has no use for one says so, and goes on."""
_said: set[tuple[str, str]] = set()


class Place(msgspec.Struct, frozen=True):
    """A URL, taken apart."""

    url: str
    """Without credentials."""
    scheme: str
    host: str
    path: str
    options: dict[str, Any]
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Place({self.url!r}, options={self.options!r})"

    def take(self, name: str, default: object) -> Any:
        """The value of an option, which is then no longer left over."""
        return self.options.pop(name, default)

    def done(self) -> None:
        """Complain about options that nobody took; those of Celery's transports are told once, and do no harm."""
        unknown = sorted(self.options.keys() - OF_TRANSPORTS)
        if unknown:
            raise ImproperlyConfigured(f"{self.url}: {self.scheme}:// has no option {', '.join(map(repr, unknown))}")
        idle = [name for name in sorted(self.options) if (self.scheme, name) not in _said]
        _said.update((self.scheme, name) for name in idle)
        if idle:
            log.warning("%s: %s:// does without %s: it has no effect", self.url, self.scheme, ", ".join(idle))
