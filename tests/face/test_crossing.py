"""Celery and the face on one Redis, one process at a time: what one sends and holds, the other runs and finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.face.both import Side
from tests.servers.redis import RedisServer

COUNT = 200


@pytest.fixture
def sides(real: Path, face: Path, redis_server: RedisServer, tmp_path: Path) -> dict[str, Side]:
    """Both on the same two databases."""
    pythons = {"celery": real, "face": face}
    return {name: Side(python, "crossing", tmp_path / name, redis_server.port, 60) for name, python in pythons.items()}


@pytest.mark.parametrize(("sender", "runner"), [("celery", "face"), ("face", "celery")])
def test_nothing_is_lost_when_one_sends_and_the_other_runs(sender: str, runner: str, sides: dict[str, Side]) -> None:
    sides[sender].redis.flushdb()
    ids = sides[sender].ask("send_many")
    assert len(ids) == COUNT
    for side in sides.values():
        (side.folder / "ids.json").write_text(json.dumps(ids))
    with sides[runner].worker("counted", "celery", "other"):
        assert sides[runner].ask("collect") == COUNT
    assert sides[sender].ask("collect") == COUNT
    assert sides[sender].messages() == {}


@pytest.mark.parametrize(("first", "second"), [("celery", "face"), ("face", "celery")])
def test_the_next_worker_runs_what_the_one_before_has_left(first: str, second: str, sides: dict[str, Side]) -> None:
    sides[first].redis.flushdb()
    ids = sides[first].ask("send_many")
    for side in sides.values():
        (side.folder / "ids.json").write_text(json.dumps(ids))
    with sides[first].worker("counted", "other"):
        sides[first].ask("wait_for_some")
    with sides[second].worker("counted", "celery", "other"):
        assert sides[second].ask("collect") == COUNT
