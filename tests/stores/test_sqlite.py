from __future__ import annotations

import pytest

from umbel.testing.contracts import BackendContract, BrokerContract


class TestSqliteBroker(BrokerContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/queue.db"


class TestSqliteBackend(BackendContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/results.db"
