"""Result stores by name and by URL."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from celery.exceptions import ImproperlyConfigured

BACKEND_ALIASES = {
    "rpc": "celery.backends.rpc.RPCBackend",
    "cache": "celery.backends.cache:CacheBackend",
    "redis": "celery.backends.redis:RedisBackend",
    "rediss": "celery.backends.redis:RedisBackend",
    "sentinel": "celery.backends.redis:SentinelBackend",
    "disabled": "celery.backends.base:DisabledBackend",
}
UNKNOWN_BACKEND = "result_backend {0!r} cannot be used: {1}"


def by_name(backend: Any = None, loader: Any = None, extension_namespace: str = "celery.result_backends") -> Any:
    """The class of result stores of that name: of this face, or from an entry point."""
    backend = backend or "disabled"
    if not isinstance(backend, str):
        return backend
    from celery.utils.imports import load_extension_class_names, symbol_by_name

    aliases = {**BACKEND_ALIASES, **dict(load_extension_class_names(extension_namespace))}
    if loader is not None:
        aliases.update(loader.override_backends or {})
    try:
        found = symbol_by_name(backend, aliases)
    except (ValueError, ImportError, AttributeError) as problem:
        raise ImproperlyConfigured(UNKNOWN_BACKEND.format(backend, problem)) from problem
    if isinstance(found, ModuleType):
        raise ImproperlyConfigured(UNKNOWN_BACKEND.format(backend, "it is a module, and a class is wanted"))
    return found


def by_url(backend: Any = None, loader: Any = None) -> Any:
    """The class and the URL of a result store."""
    url = None
    if backend and "://" in backend:
        url = backend
        scheme = url.partition("://")[0]
        if "+" in scheme:
            backend, url = url.split("+", 1)
        else:
            backend = scheme
    return by_name(backend, loader), url
