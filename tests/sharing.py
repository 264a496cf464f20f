"""How tests are shared out to the processes that run them side by side (`scripts/test`).

A file is run by one process, since its tests may share a server; where tests are long and share nothing, each may go elsewhere.
The longest come first, so that none is left to be waited for at the end.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

LONG = """
    chaos/test_outages examples/test_cantine examples/test_egoejo examples/test_walkthrough
    interop/test_control canvas/test_lost_parts stores/test_redis.py interop/test_bad_input
    chaos/ interop/test_crossing examples/ face/test_command django/test_stores
    pools/test_process wire/test_hostile django/test_project stores/test_redis_sentinel
    face/test_crossing interop/test_side_by_side face/test_neighbours benchmarks/
    stores/test_sqlite.py interop/test_tools beat/test_beat face/test_app
    canvas/test_playing stores/test_redis_calling worker/test_control schedules/test_zone_rule
    stores/test_redis_waiting face/test_slots beat/test_processes stores/test_redis_trouble
    stores/test_spare interop/test_messages interop/test_same worker/test_next
    canvas/test_random stores/test_model messages/test_options wire/test_typed_json
    stores/test_memory face/ django/ test_story stores/test_hammer typing/
    stores/test_joins_apart trips/test_stops interop/ beat/ stores/ trips/ cli/
""".split()  # noqa: SIM905 - words are easier to put in order
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
        items.sort(key=turn)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: object) -> LoadScopeScheduling:
        config.option.loadscopereorder = False
        return Scheduling(config, log)


def turn(item: pytest.Item) -> int:
    """When its turn is: by where it lies, or after all of those."""
    name = item.nodeid.removeprefix("tests/")
    return next((place for place, start in enumerate(LONG) if name.startswith(start)), len(LONG))


class Scheduling(LoadScopeScheduling):
    """Gives each process one file, or one test that stands for itself, after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0]
