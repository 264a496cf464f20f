"""A private redis-server for the tests of this room."""

from __future__ import annotations

import os

import pytest
from tests.servers.redis import RedisServer, running

from umbel.testing.waiting import patience


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer):
    """A URL of the server, emptied."""
    assert redis_server.ask("FLUSHALL") == b"+OK\r\n"
    return f"redis://127.0.0.1:{redis_server.port}/0"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch):
    """Where the machine has other things to do, a server that is there may need longer than programs wait for it."""
    monkeypatch.setattr("umbel.stores.redis.server.TIMEOUT", patience())
    monkeypatch.setattr("umbel.stores.redis.server.CONNECT_TIMEOUT", patience())


@pytest.fixture
def few_certificates(monkeypatch: pytest.MonkeyPatch):
    """None of the system's, which take longer to read than the rest of a connection in TLS, and are read for each."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
