"""How tests are shared out to the processes that run them side by side (`scripts/test`).

A file is run by one process, since its tests may share a server; where tests are long and share nothing, each may go elsewhere.
The longest come first, so that none is left to be waited for at the end.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

LONG = (
    *("tests/chaos/test_outages", "tests/examples/test_cantine", "tests/examples/test_egoejo", "tests/examples/test_walkthrough"),
    *("tests/interop/test_control", "tests/canvas/test_lost_parts", "tests/stores/test_redis.py", "tests/interop/test_bad_input"),
    *("tests/chaos/", "tests/interop/test_crossing", "tests/examples/", "tests/face/test_command", "tests/django/test_stores"),
    *("tests/pools/test_process", "tests/wire/test_hostile", "tests/django/test_project", "tests/stores/test_redis_sentinel"),
    *("tests/face/test_crossing", "tests/interop/test_side_by_side", "tests/face/test_neighbours", "tests/benchmarks/"),
    *("tests/stores/test_sqlite.py", "tests/interop/test_tools", "tests/beat/test_beat", "tests/face/test_app"),
    *("tests/canvas/test_playing", "tests/stores/test_redis_calling", "tests/worker/test_control", "tests/schedules/test_zone_rule"),
    *("tests/stores/test_redis_waiting", "tests/face/test_slots", "tests/beat/test_processes", "tests/stores/test_redis_trouble"),
    *("tests/stores/test_spare", "tests/interop/test_messages", "tests/interop/test_same", "tests/worker/test_next"),
    *("tests/canvas/test_random", "tests/stores/test_model", "tests/messages/test_options", "tests/wire/test_typed_json"),
    *("tests/stores/test_memory", "tests/face/", "tests/django/", "tests/test_story", "tests/stores/test_hammer", "tests/typing/"),
    *("tests/stores/test_joins_apart", "tests/trips/test_stops", "tests/interop/", "tests/beat/", "tests/stores/", "tests/trips/"),
    "tests/cli/",
)
"""What takes longest, the longest first: more of it is waiting than work, so it is not to be left alone at the end."""
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
