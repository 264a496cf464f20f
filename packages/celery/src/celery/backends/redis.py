"""Results in Redis, in Celery's words: the same keys that umbel's own store writes and reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery._names import later
from celery.backends.base import BaseKeyValueStoreBackend, SyncBackendMixin


class RedisBackend(BaseKeyValueStoreBackend, SyncBackendMixin):
    """Looks at, and changes, what umbel's store of results keeps in Redis."""

    supports_autoexpire = True
    supports_native_join = True
    supports_result_compression = True
    max_connections: int | None = None
    redis: Any = None

    def __init__(
        self,
        host: Any = None,
        port: Any = None,
        db: Any = None,
        password: Any = None,
        max_connections: int | None = None,
        url: str | None = None,
        connection_pool: Any = None,
        **kwargs: Any,
    ):
        app = kwargs["app"]
        url = host if host and "://" in str(host) else url
        if not url or "://" not in url:
            secret = f":{password}@" if password else ""
            url = f"redis://{secret}{host or 'localhost'}:{port or 6379}/{db or 0}"
        super().__init__(url=url, **kwargs)
        self.max_connections = max_connections or app.conf.redis_max_connections or self.max_connections
        self._pool = connection_pool
        self._client: Any = None

    @property
    def client(self) -> Any:
        """redis-py's client."""
        if self._client is None:
            import redis

            if self._pool is not None:
                self._client = redis.Redis(connection_pool=self._pool)
            else:
                tls = self.app.conf.redis_backend_use_ssl
                url = (self.url or "").replace("redis://", "rediss://", 1) if tls else self.url
                options = dict(tls) if isinstance(tls, Mapping) else {}
                self._client = redis.Redis.from_url(url, max_connections=self.max_connections, **options)
        return self._client

    def get(self, key: Any) -> Any:
        """The bytes of a key."""
        return self.client.get(key)

    def mget(self, keys: Any) -> Any:
        """The bytes of many keys."""
        return self.client.mget(keys)

    def ensure(self, fun: Any, args: Any, **policy: Any) -> Any:
        """Call a function."""
        return fun(*args)

    def set(self, key: Any, value: Any, expires: Any = None, **retry_policy: Any) -> Any:
        """Keep bytes, and tell who waits."""
        with self.client.pipeline() as pipe:
            ends = self.expires if expires is None else expires
            if ends:
                pipe.setex(key, int(ends), value)
            else:
                pipe.set(key, value)
            pipe.publish(key, value)
            pipe.execute()

    def delete(self, key: Any) -> Any:
        """Forget a key."""
        self.client.delete(key)

    def incr(self, key: Any) -> Any:
        """Count a key up."""
        return self.client.incr(key)

    def expire(self, key: Any, value: Any) -> Any:
        """Let a key end."""
        return self.client.expire(key, value)

    def forget(self, task_id: str) -> None:
        """Delete what is known of a task."""
        self._forget(task_id)

    def add_to_chord(self, group_id: str, result: Any) -> Any:
        """A chord has one more part."""
        raise later("Task.add_to_chord")

    def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> Any:
        """Begin a chord."""
        raise later("chords")

    def on_chord_part_return(self, request: Any, state: Any, result: Any, propagate: Any = None, **kwargs: Any) -> Any:
        """A part of a chord has ended."""
        raise later("chords")

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """True if the server was away."""
        import redis

        return isinstance(exc, (redis.ConnectionError, redis.TimeoutError))

    def __reduce__(self) -> Any:
        from celery.backends.base import unpickle_backend

        return unpickle_backend, (type(self), (), {"url": self.url, "expires": self.expires})


class SentinelBackend(RedisBackend):
    """The same behind sentinels; umbel's own store finds the master."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)

    def as_uri(self, include_password: bool = False) -> str:
        """Where it is."""
        return super().as_uri(include_password)

    @property
    def client(self) -> Any:
        """redis-py's client of the master."""
        if self._client is None:
            from redis.sentinel import Sentinel

            options = self.app.conf.result_backend_transport_options or {}
            places = [part.removeprefix("sentinel://").partition("/") for part in (self.url or "").split(";")]
            nodes = [(host.rpartition("@")[2].partition(":")[0], int(host.rpartition(":")[2] or 26379)) for host, _, _ in places]
            sentinel = Sentinel(nodes, sentinel_kwargs=options.get("sentinel_kwargs"))
            self._client = sentinel.master_for(options.get("master_name"), db=int(places[-1][2] or 0))
        return self._client


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
