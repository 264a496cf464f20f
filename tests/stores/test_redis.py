from __future__ import annotations

import pytest

from umbel.testing.contracts import BackendContract, BrokerContract


class TestRedisBroker(BrokerContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url


class TestRedisBackend(BackendContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url
