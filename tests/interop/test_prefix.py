"""With a prefix before all keys each system finds what the other has put there, and neither touches anything else."""

from __future__ import annotations

from collections.abc import Callable

import redis
from tests.interop.fleet import Fleet
from tests.servers.redis import RedisServer

PREFIX = "shop"


def test_tasks_and_results_cross_under_a_prefix(make_fleet: Callable[..., Fleet], redis_server: RedisServer) -> None:
    fleet = make_fleet(PREFIX=PREFIX)
    systems = ("celery", "umbel")
    fleet.ready(*[fleet.start(system, "-Q", system, "-c", "1") for system in systems])
    agents = {system: fleet.agent(system) for system in systems}
    for sender in systems:
        for worker in systems:
            calls = [f"shop.add.apply_async((1, 2), queue={worker!r}, priority={priority})" for priority in (0, 6)]
            assert agents[sender].ask(f"[result.get(timeout=patience) for result in ({', '.join(calls)})]") == [3, 3]
    assert agents["celery"].ask("app.send_task('shop.add', (1, 2), queue='left').id")
    assert agents["umbel"].ask("app.broker.queues()") == ["left"]
    for db in (fleet.db, fleet.db + 1):
        with redis.Redis(port=redis_server.port, db=db) as client:
            keys = client.keys()
            assert keys
            assert [key for key in keys if not key.startswith(PREFIX.encode())] == []
