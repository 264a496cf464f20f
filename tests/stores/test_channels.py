"""The channels keep their contract."""

from __future__ import annotations

import itertools

import pytest

from umbel.stores.url import open_channel
from umbel.testing.contracts import ChannelContract

_numbers = itertools.count()


class TestMemoryChannel(ChannelContract):
    shared_by_processes = False

    @pytest.fixture
    def url(self):
        return f"memory://channel{next(_numbers)}"


class TestSqliteChannel(ChannelContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/queue.db"


@pytest.mark.usefixtures("patient")
class TestRedisChannel(ChannelContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url


@pytest.mark.usefixtures("patient")
class TestRedisChannelWithPrefixWithoutKeys(ChannelContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url.removesuffix("/0") + "/3"

    def make(self, url):
        return open_channel(url, options={"global_keyprefix": "p*x:", "fanout_patterns": False})
