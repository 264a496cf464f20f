"""A private redis-server for this room, and what runs on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from tests.interop.fleet import Fleet
from tests.servers.redis import RedisServer, running


@pytest.fixture(scope="package")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis"), "--databases", "512") as server:
        yield server


@pytest.fixture(scope="package")
def dbs() -> Iterator[int]:
    """The first of each two databases that nobody has used."""
    return itertools.count(0, 2)


@pytest.fixture(scope="module")
def make_fleet(
    redis_server: RedisServer, dbs: Iterator[int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Fleet]]:
    """Makes a fleet in two databases of its own; all of them end with the file, or they would ask for work till the last one."""
    made: list[Fleet] = []

    def make(**env: str) -> Fleet:
        made.append(Fleet(tmp_path_factory.mktemp("fleet"), redis_server.port, next(dbs), **env))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()
