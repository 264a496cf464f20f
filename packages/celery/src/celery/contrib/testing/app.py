"""Apps for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from celery import Celery, _state
from celery.app.log import Logging
from umbel.client import current

DEFAULT_TEST_CONFIG = {
    "worker_hijack_root_logger": False,
    "worker_log_color": False,
    "accept_content": {"json"},
    "enable_utc": True,
    "timezone": "UTC",
    "broker_url": "memory://",
    "result_backend": "cache+memory://",
    "broker_heartbeat": 0,
}


class Trap:
    """Stands in for the current app where there must be none."""

    def __getattr__(self, name: str) -> Any:
        if name in ("_is_coroutine", "__func__"):
            return None
        raise RuntimeError(f"this test asks the current app for {name!r}, and is to have none")


class UnitLogging(Logging):
    """Logging that is set up once for all tests."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.already_setup = True


def TestApp(  # noqa: N802 - Celery's name
    name: str | None = None,
    config: Any = None,
    enable_logging: bool = False,
    set_as_current: bool = False,
    log: Any = UnitLogging,
    backend: Any = None,
    broker: Any = None,
    **kwargs: Any,
) -> Any:
    """An app whose messages and results are in memory."""
    test_app = Celery(
        name or "celery.tests",
        set_as_current=set_as_current,
        log=None if enable_logging else log,
        broker=broker,
        backend=backend,
        **kwargs,
    )
    test_app.add_defaults({**deepcopy(DEFAULT_TEST_CONFIG), **(config or {})})
    return test_app


@contextmanager
def set_trap(app: Any) -> Iterator[None]:
    """Let nobody find a current app inside `with`."""
    trap = Trap()
    before = current._here.get(), current._process, current._latest
    current._here.set(None)
    current._process, current._latest = trap, None  # type: ignore[assignment]  # it is to be in the way
    try:
        yield
    finally:
        current._here.set(before[0])
        current._process, current._latest = before[1:]


@contextmanager
def setup_default_app(app: Any, use_trap: bool = False) -> Iterator[None]:
    """Let the app be the current one inside `with`."""
    before = current._here.get(), current._process, current._latest, _state.default_app
    try:
        if use_trap:
            with set_trap(app):
                yield
        else:
            app.set_default()
            app.set_current()
            yield
    finally:
        current._here.set(before[0])
        current._process, current._latest = before[1:3]
        _state.default_app = before[3]
