"""Environments of this room: umbel's face of Celery without Celery in `.bench/face`, and Celery in `.bench/sites-celery`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.missing import lacks
from tests.servers.redis import RedisServer, running

ROOT = Path(__file__).parents[2]


def python_of(name: str) -> Path:
    """The Python of an environment; without it the test fails on CI, and is skipped at home."""
    found = ROOT / ".bench" / name / "bin" / "python"
    if not found.exists():
        lacks(f"there is no environment .bench/{name}: run scripts/setup {name} .bench/{name}")
    return found


@pytest.fixture(scope="session")
def face() -> Path:
    """The Python that has umbel and its face."""
    return python_of("face")


@pytest.fixture(scope="session")
def real() -> Path:
    """The Python that has Celery."""
    return python_of("sites-celery")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A private redis-server for this room."""
    with running(tmp_path_factory.mktemp("redis"), "--databases", "64") as server:
        yield server
