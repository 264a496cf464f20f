"""How tests are shared out to the processes that run them side by side (`scripts/test`).

A file is run by one process, since its tests may share a server; where tests are long and share nothing, each may go elsewhere.
The longest come first, so that none is left to be waited for at the end.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

LONG = (
    "tests/chaos/",
    "tests/examples/",
    "tests/interop/",
    "tests/face/",
    "tests/stores/test_redis.py",
    "tests/stores/test_redis_sentinel",
    "tests/stores/test_redis_sending",
    "tests/stores/test_redis_workers",
    "tests/pools/test_process",
    "tests/trips/",
    "tests/beat/",
    "tests/cli/",
)
"""Where the time goes, the most first."""
APART = (
    "tests/chaos/",
    "tests/face/test_projects",
    "tests/stores/test_redis_sending",
    "tests/stores/test_redis_workers",
    "tests/trips/",
    "tests/cli/",
)
"""Where each test stands for itself."""


class Sharing:
    """A plugin, beside pytest-xdist."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: next((place for place, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG)))

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: object) -> LoadScopeScheduling:
        config.option.loadscopereorder = False
        return Scheduling(config, log)


class Scheduling(LoadScopeScheduling):
    """Gives each process one file, or one test that stands for itself, after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0]
