"""Small projects in the shapes that real ones have, each on Celery and on the face: the same results, messages and exit codes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.face.both import Side, at_once, differences
from tests.servers.redis import RedisServer

PROJECTS = {
    "package": ("proj.celery",),
    "factory": ("shop:celery", "default", "orders", "mail"),
    "with_flask": ("web:celery_app",),
    "with_fastapi": ("main:celery", "celery", "main-queue"),
    "with_django": ("site_",),
    "subclassed": ("own",),
    "patched": ("traced", "celery", "quiet"),
    "own_backend": ("notebook",),
    "own_serializer": ("signed",),
    "old_names": ("oldapp", "old", "other"),
    "config_module": ("app",),
    "own_scheduler": (),
}
_dbs = itertools.count(0, 4)


@pytest.fixture
def sides(real: Path, face: Path, redis_server: RedisServer, tmp_path: Path) -> Any:
    def make(project: str) -> tuple[Side, Side]:
        db = next(_dbs)
        for each in range(db, db + 4):
            redis_server.ask("SELECT", str(each))
        return (
            Side(real, project, tmp_path / "real", redis_server.port, db),
            Side(face, project, tmp_path / "face", redis_server.port, db + 2),
        )

    return make


@pytest.mark.parametrize("project", PROJECTS)
def test_a_project_sends_and_gives_the_same_on_celery_and_on_the_face(project: str, sides: Any) -> None:
    def run(side: Side) -> list[Any]:
        with side.program() as ask:
            ask("send")
            messages = side.messages()
            if not PROJECTS[project]:
                return [messages, ask("use")]
            side.redis.flushdb()
            app, *queues = PROJECTS[project]
            with side.worker(app, *queues) as worker:
                results = ask("use")
        return [messages, results, worker.returncode]

    theirs, ours = at_once(*(lambda side=side: run(side) for side in sides(project)))
    assert differences(theirs, ours) == []
