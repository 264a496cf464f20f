"""Parts of an app that are of a project's own classes: the same methods are called as by Celery, in the same order."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.face.both import UUID, Side, at_once
from tests.programs.nursery import end, nursery
from tests.servers.redis import RedisServer

from umbel.testing.waiting import patience, until

Note = tuple[str, str, list[Any], dict[str, Any]]


def notes_of(path: Path) -> list[Note]:
    """What was called where, with which arguments."""
    return [tuple(json.loads(UUID.sub("<id>", line))) for line in path.read_text().splitlines()]


def both(real: Path, face: Path, redis_server: RedisServer, folder: Path, db: int) -> tuple[Side, Side]:
    """The project on both."""
    return (
        Side(real, "slots", folder / "real", redis_server.port, db),
        Side(face, "slots", folder / "face", redis_server.port, db + 2),
    )


def alike(note: Note) -> Note:
    """A note without what is umbel's or Celery's alone."""
    where, what, args, kwargs = note
    if what == "amqp.as_task_v2":
        args[3] = args[3] or {}
        kwargs.pop("expiration", None)  # for kombu, which sends it
        args[13] = "reply to"  # nobody's queue: umbel sends results to none
        kwargs.get("headers", {}).pop("periodic_task_name", None)  # which umbel's beats tell always
    if what == "control.broadcast":  # `inspect` gives what is left out by others
        kwargs = {key: value for key, value in kwargs.items() if value is not None and key != "callback"}
    if what.startswith("control.") and "timeout" in kwargs:
        kwargs = {**kwargs, "timeout": "patience"}
    return where, what, args, kwargs


def of(where: str, notes: list[Note]) -> list[Note]:
    """What was called there, but for what only one of both does: Celery looks at its queues, and greets other workers."""
    aside = ("control.broadcast", "amqp.router", "loader.read_configuration")
    return [alike(note) for note in notes if note[0] == where and note[1] not in aside]


@pytest.mark.parametrize(("pool", "db"), [("prefork", 48), ("solo", 52)])
def test_workers_and_clients_call_the_same(
    real: Path, face: Path, redis_server: RedisServer, tmp_path: Path, pool: str, db: int
) -> None:
    def run(side: Side) -> tuple[list[Note], list[Note], list[Any]]:
        side._env["NOTES"] = "worker.txt"
        with side.worker("shop", "celery", pool=pool):
            side._env["NOTES"] = "client.txt"
            found = [side.ask("use"), side.ask("control")]
        return notes_of(side.folder / "worker.txt"), notes_of(side.folder / "client.txt"), found

    theirs, ours = at_once(*(lambda side=side: run(side) for side in both(real, face, redis_server, tmp_path, db)))
    assert ours[2] == theirs[2]
    assert of("parent", ours[0]) == of("parent", theirs[0])
    assert of("child", ours[0]) == of("child", theirs[0])
    assert [alike(note) for note in ours[1] if note[1] != late] == [alike(note) for note in theirs[1] if note[1] != late]


late = "loader.read_configuration"
"""Settings are read when the first is asked for, which is later than in Celery."""


def test_beats_call_the_same(real: Path, face: Path, redis_server: RedisServer, tmp_path: Path) -> None:
    def run(side: Side) -> list[Note]:
        command = [str(side._python), "-m", "celery", "-A", "shop", "beat", "-l", "INFO", "-s", "schedule"]
        notes = side.folder / "notes.txt"
        with (side.folder / "beat.log").open("wb") as log:
            beat = side.start(command, stdout=log)
        try:
            until(lambda: notes.exists() and "amqp.send_task_message" in notes.read_text())
            beat.send_signal(signal.SIGTERM)
            beat.wait(patience())
        finally:
            end(beat)
        found = [alike(note) for note in notes_of(notes)]
        names = [note[1] for note in found]
        return found[: names.index("amqp.send_task_message") + 1]

    theirs, ours = at_once(*(lambda side=side: run(side) for side in both(real, face, redis_server, tmp_path, 56)))
    assert ours == theirs


def test_settings_are_read_by_the_loader(real: Path, face: Path, redis_server: RedisServer, tmp_path: Path) -> None:
    def run(side: Side) -> list[Any]:
        return [side.ask("settings"), notes_of(side.folder / "notes.txt")]

    theirs, ours = at_once(*(lambda side=side: run(side) for side in both(real, face, redis_server, tmp_path, 60)))
    assert ours[0] == theirs[0]
    assert sorted(map(str, ours[1])) == sorted(map(str, theirs[1]))


def test_inspect_goes_through_the_control_of_the_app(real: Path, face: Path, redis_server: RedisServer, tmp_path: Path) -> None:
    def run(side: Side) -> list[Note]:
        command = [str(side._python), "-m", "celery", "-A", "shop", "inspect", "ping", "-t", "0.3"]
        done = nursery(side._python).run(command, cwd=side.folder, env=side._env)
        assert re.search("No nodes replied", done.stderr), done.stderr
        found = [alike(note) for note in notes_of(side.folder / "notes.txt")]
        return [note for note in found if note[1].startswith("control")]

    theirs, ours = at_once(*(lambda side=side: run(side) for side in both(real, face, redis_server, tmp_path, 60)))
    assert ours == theirs
    assert len(ours) == 1
