"""Chords end whoever dies also where messages and results are in two stores."""

from __future__ import annotations

import itertools

import pytest

from umbel.stores.url import open_backend
from umbel.testing.surviving import Surviving

_numbers = itertools.count()


class TestBothInFiles(Surviving):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/queue.db"

    def make_backend(self, url, expires):
        return open_backend(url.replace("queue.db", "results.db"), expires=expires)


class TestMessagesInRedis(Surviving):
    @pytest.fixture
    def url(self, redis_url, tmp_path):
        self.results = f"sqlite:///{tmp_path}/results.db"
        return redis_url

    def make_backend(self, url, expires):
        return open_backend(self.results, expires=expires)


class TestResultsInRedis(Surviving):
    @pytest.fixture
    def url(self, redis_url, tmp_path):
        self.results = redis_url
        return f"sqlite:///{tmp_path}/queue.db"

    def make_backend(self, url, expires):
        return open_backend(self.results, expires=expires)


class TestBothInMemory(Surviving):
    shared_by_processes = False

    @pytest.fixture
    def url(self):
        return f"memory://apart{next(_numbers)}"

    def make_backend(self, url, expires):
        return open_backend(f"{url}-results", expires=expires)
