"""Fixtures for tests of programs: `pytest_plugins = ("umbel.testing.plugin",)`, and those of Celery's names that do the same.

A project gives its own app by a fixture `umbel_app` (or `celery_app`) of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from umbel import Umbel
from umbel.client import current
from umbel.testing.kit import Kit
from umbel.testing.threaded import working
from umbel.worker.worker import Worker

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for name in ("umbel", "celery"):
        config.addinivalue_line("markers", f"{name}(**settings): settings of the app of this test")


@contextmanager
def _app(request: Any, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[Umbel]:
    """An app in memory; the current one as long as the block runs."""
    settings = {"broker_url": f"memory://test-{next(_numbers)}", **config}
    for name in ("celery", "umbel"):
        mark = request.node.get_closest_marker(name)
        settings |= mark.kwargs if mark else {}
    before = current._here.get(), current._process, current._latest
    app = Umbel(**{"main": "tests", "changes": settings, **parameters})
    app.set_default()
    try:
        yield app
    finally:
        app.close()
        current._here.set(before[0])
        current._process, current._latest = before[1:]


# -- umbel's


@pytest.fixture
def umbel_config() -> Mapping[str, Any]:
    """Settings of `umbel_app`; to be overridden."""
    return {}


@pytest.fixture
def umbel_app(request: pytest.FixtureRequest, umbel_config: Mapping[str, Any]) -> Iterator[Any]:
    """An app in memory for one test; to be overridden with the app of the project."""
    with _app(request, umbel_config, {}) as app:
        yield app


@pytest.fixture
def umbel_kit(umbel_app: Any, umbel_config: Mapping[str, Any]) -> Iterator[Kit]:
    """A `Kit` of `umbel_app`: a worker that is stepped by hand, a clock that jumps, and what was sent."""
    with Kit(umbel_app, **umbel_config) as kit:
        yield kit


@pytest.fixture
def umbel_worker(umbel_app: Any) -> Iterator[Worker]:
    """A worker of `umbel_app` in a thread, which works by itself."""
    with working(umbel_app) as worker:
        yield worker


# -- under Celery's names


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """Settings of the apps; to be overridden, as are the next six."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Arguments of the apps' constructor."""
    return {}


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Modules with tasks to import."""
    return ()


@pytest.fixture(scope="session")
def celery_class_tasks() -> Sequence[Any]:
    """Tasks that are classes, to be registered."""
    return ()


@pytest.fixture(scope="session")
def celery_worker_pool() -> str:
    """The workers' pool: solo, threads or asyncio."""
    return "solo"


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Arguments of the workers."""
    return {}


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """Nothing: umbel changes no logging of tests."""
    return False


@pytest.fixture
def celery_app(
    request: pytest.FixtureRequest, celery_config: Mapping[str, Any], celery_parameters: Mapping[str, Any]
) -> Iterator[Any]:
    """An app in memory for one test."""
    with _app(request, celery_config, celery_parameters) as app:
        yield app


@pytest.fixture(scope="session")
def celery_session_app(
    request: pytest.FixtureRequest, celery_config: Mapping[str, Any], celery_parameters: Mapping[str, Any]
) -> Iterator[Any]:
    """An app in memory for all tests."""
    with _app(request, celery_config, celery_parameters) as app:
        yield app


@pytest.fixture
def celery_worker(
    celery_app: Any,
    celery_includes: Sequence[str],
    celery_class_tasks: Sequence[Any],
    celery_worker_pool: str,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[Worker]:
    """A worker of `celery_app` in a thread, for one test."""
    _register(celery_app, celery_includes, celery_class_tasks)
    with working(celery_app, **{"pool": celery_worker_pool, **celery_worker_parameters}) as worker:
        yield worker


@pytest.fixture(scope="session")
def celery_session_worker(
    celery_session_app: Any,
    celery_includes: Sequence[str],
    celery_class_tasks: Sequence[Any],
    celery_worker_pool: str,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[Worker]:
    """A worker of `celery_session_app` in a thread, for all tests."""
    _register(celery_session_app, celery_includes, celery_class_tasks)
    with working(celery_session_app, **{"pool": celery_worker_pool, **celery_worker_parameters}) as worker:
        yield worker


@pytest.fixture
def depends_on_current_app(celery_app: Any) -> None:
    """`celery_app` is the current one."""
    celery_app.set_current()


def _register(app: Any, modules: Sequence[str], classes: Sequence[Any]) -> None:
    for module in modules:
        import_module(module)
    for each in classes:
        app.register_task(each)
