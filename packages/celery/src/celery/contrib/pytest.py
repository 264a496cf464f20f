"""Fixtures for tests of programs: `pytest_plugins = ("celery.contrib.pytest",)`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from celery.contrib.testing import worker
from celery.contrib.testing.app import TestApp, setup_default_app

NO_WORKER = os.environ.get("NO_WORKER")
TYPE_CHECKING = False


def pytest_configure(config: Any) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "celery(**overrides): settings of the app of this test")


@contextmanager
def _create_app(enable_logging: bool = False, use_trap: bool = False, parameters: Any = None, **config: Any) -> Iterator[Any]:
    import celery.contrib.testing.tasks  # noqa: F401 - workers of these apps are asked to run its `celery.ping`

    parameters = dict(parameters or {})
    test_app = TestApp(set_as_current=False, enable_logging=enable_logging, config=config, **parameters)
    with setup_default_app(test_app, use_trap=use_trap):
        test_app.set_default()
        test_app.set_current()
        try:
            yield test_app
        finally:
            test_app.close()


@pytest.fixture(scope="session")
def use_celery_app_trap() -> bool:
    """True: tests that ask the current app for anything fail."""
    return False


@pytest.fixture(scope="session")
def celery_session_app(
    request: Any, celery_config: Any, celery_parameters: Any, celery_enable_logging: Any, use_celery_app_trap: Any
) -> Iterator[Any]:
    """An app for all tests."""
    mark = request.node.get_closest_marker("celery")
    config = {**celery_config, **(mark.kwargs if mark else {})}
    with _create_app(celery_enable_logging, use_celery_app_trap, celery_parameters, **config) as app:
        if not use_celery_app_trap:
            app.set_default()
            app.set_current()
        yield app


@pytest.fixture(scope="session")
def celery_session_worker(
    request: Any,
    celery_session_app: Any,
    celery_includes: Any,
    celery_class_tasks: Any,
    celery_worker_pool: Any,
    celery_worker_parameters: Any,
) -> Iterator[Any]:
    """A worker in a thread for all tests."""
    if NO_WORKER:
        yield None
        return
    for module in celery_includes:
        celery_session_app.loader.import_task_module(module)
    for class_task in celery_class_tasks:
        celery_session_app.register_task(class_task)
    with worker.start_worker(celery_session_app, pool=celery_worker_pool, **celery_worker_parameters) as made:
        yield made


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """True: logging is set up."""
    return False


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Modules with tasks to import."""
    return ()


@pytest.fixture(scope="session")
def celery_worker_pool() -> Any:
    """The worker's pool."""
    return "solo"


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """The app's settings."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Arguments of the app's constructor."""
    return {}


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Arguments of the worker's constructor."""
    return {}


@pytest.fixture
def celery_app(
    request: Any, celery_config: Any, celery_parameters: Any, celery_enable_logging: Any, use_celery_app_trap: Any
) -> Iterator[Any]:
    """An app for one test."""
    mark = request.node.get_closest_marker("celery")
    config = {**celery_config, **(mark.kwargs if mark else {})}
    with _create_app(celery_enable_logging, use_celery_app_trap, celery_parameters, **config) as app:
        yield app


@pytest.fixture(scope="session")
def celery_class_tasks() -> list[Any]:
    """Tasks that are classes, to be registered."""
    return []


@pytest.fixture
def celery_worker(
    request: Any, celery_app: Any, celery_includes: Any, celery_worker_pool: Any, celery_worker_parameters: Any
) -> Iterator[Any]:
    """A worker in a thread for one test."""
    if NO_WORKER:
        yield None
        return
    for module in celery_includes:
        celery_app.loader.import_task_module(module)
    with ExitStack() as stack:
        yield stack.enter_context(worker.start_worker(celery_app, pool=celery_worker_pool, **celery_worker_parameters))


@pytest.fixture
def depends_on_current_app(celery_app: Any) -> None:
    """The app is the current one."""
    celery_app.set_current()
