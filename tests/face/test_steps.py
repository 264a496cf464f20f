"""Steps of an application in workers of Celery and of umbel: the same is done to them, in the same order."""

from __future__ import annotations

from pathlib import Path

from tests.face.both import Side, at_once
from tests.servers.redis import RedisServer

from umbel.testing.waiting import until


def test_a_worker_runs_steps_as_celery_does(real: Path, face: Path, redis_server: RedisServer, tmp_path: Path) -> None:
    def run(side: Side) -> list[str]:
        notes = side.folder / "notes.txt"
        with side.worker("shop") as worker:
            until(lambda: "beat" in notes.read_text())
            assert side.ask("use") == 3
            until(lambda: "'number': 2" in notes.read_text())
        assert worker.returncode == 0
        return notes.read_text().splitlines()

    sides = (
        Side(real, "steps", tmp_path / "real", redis_server.port, 44),
        Side(face, "steps", tmp_path / "face", redis_server.port, 46),
    )
    theirs, ours = at_once(*(lambda side=side: run(side) for side in sides))
    assert sorted(ours) == sorted(theirs)
    for order in (
        ("probe made none True", "probe created", "probe started celery True", "behind started", "beat"),
        ("only made", "probe started celery True"),
        ("guard started True True True", "parcel {'number': 0}", "parcel {'number': 1}", "parcel {'number': 2}", "guard stopped"),
        ("probe closed", "guard stopped", "behind stopped", "probe stopped"),
    ):
        for notes in (theirs, ours):
            assert [note for note in notes if note in order] == list(order)
