"""What others build upon Celery, on the face: their own code, as it is released."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.programs.nursery import nursery
from tests.servers.redis import RedisServer

from umbel.testing.waiting import patience

HERE = Path(__file__).parent / "neighbours"


def told(face: Path, program: str, *arguments: str, folder: Path) -> Any:
    """What a program prints at its end, as JSON."""
    env = {**os.environ, "PATIENCE": str(patience())}
    done = nursery(face).run([face, HERE / f"{program}.py", *arguments], env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_all_that_packages_around_celery_import_is_there(face: Path) -> None:
    done = subprocess.run([face, HERE / "imports.py"], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_opentelemetry_makes_spans_of_calls_and_runs(face: Path, tmp_path: Path) -> None:
    notes = told(face, "traced", folder=tmp_path)
    assert ["apply_async/traced.add", "messaging.destination", "celery"] in notes
    assert ["run/traced.add", "celery.state", "SUCCESS"] in notes
    assert ["run/traced.fail", "celery.state", "FAILURE"] in notes
    assert ["run/traced.fail", "ERROR", "as asked"] in notes


def test_django_keeps_results_in_its_tables_and_sends_what_is_in_them(face: Path, tmp_path: Path) -> None:
    found = told(face, "django_", str(tmp_path / "db.sqlite"), folder=tmp_path)
    assert found["told"] == [3, "ValueError('as asked')"]
    assert found["unknown"] == "PENDING"
    added, failed = found["kept"]
    assert added[:5] == ["proj.add", "SUCCESS", "3", '"(1, 2)"', None]
    assert failed[:2] == ["proj.fail", "FAILURE"]
    assert json.loads(failed[2])["exc_type"] == "ValueError"
    assert found["periodic"] == ["proj.add", "adding"]


@pytest.mark.parametrize(("results", "release"), [("django-db", "2.6.0"), ("django-db", "2.5.1"), ("django-cache", "2.6.0")])
def test_django_celery_results_keeps_what_becomes_of_tasks(face: Path, tmp_path: Path, results: str, release: str) -> None:
    older = face.parents[1] / "older"
    env = {
        **os.environ,
        "RESULTS": results,
        "PYTHONPATH": os.pathsep.join([str(HERE), *([str(older)] if release == "2.5.1" else [])]),
        "PATIENCE": str(patience()),
        "C_FORCE_ROOT": "1",
    }
    words = "-A", "kept", "worker", "-P", "prefork", "-c", "1", "-l", "INFO"
    with (tmp_path / "worker.log").open("wb") as log:
        worker = nursery(face).start([face, "-m", "celery", *words], cwd=tmp_path, env=env, stdout=log)
    try:
        done = nursery(face).run([face, HERE / "kept.py"], cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
    finally:
        worker.terminate()
        assert worker.wait(patience()) == 0
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["release"] == release
    assert found["told"][:7] == [
        3,
        {"tries": 2},
        6,
        "ValueError('as asked')",
        "TaskRevokedError",
        {"current": 3, "total": 10},
        "done",
    ]
    assert found["told"][7:10] == [[True, [3, {"tries": 2}], 2, True], ["whole", 2, 4], [5, 6]]
    assert found["forgotten"] == ["PENDING", None]
    if results == "django-db":
        kept_in_tables(found)


def kept_in_tables(found: dict[str, Any]) -> None:
    assert found["chord"] == [2, [1], [], ["whole", 3, {"tries": 2}]]
    name = "nightly" if found["release"] == "2.6.0" else None  # older ones look for it in the message's properties
    rows = found["rows"]
    assert ["kept.add", "SUCCESS", "3", '"(1, 2)"', '"{}"', None] in rows
    assert ["kept.add", "SUCCESS", "6", '"(1,)"', "\"{'y': 5}\"", name] in rows
    by_name = {(name, status): rest for name, status, *rest in rows}
    assert by_name["kept.add", "REVOKED"][1:] == ['"(1, 2)"', '"{}"', None]
    assert by_name["kept.retry", "SUCCESS"][0] == '{"tries": 2}'
    assert json.loads(by_name["kept.fail", "FAILURE"][0])["exc_type"] == "ValueError"
    assert (found["workers"], found["failure"], found["dates"]) == ([True], [True, True, "ValueError"], True)
    assert found["groups"] == ["the-group"]
    assert {status for status, _ in found["pages"].values()} == {200}
    assert [has for page, (_, has) in found["pages"].items() if page.startswith("taskresult/?") or page == "taskresult/"] == [
        True,
        True,
    ]
    status, executed = (view["task"] for view in found["views"])
    assert (status["status"], status["exc"], executed["executed"]) == ("FAILURE", "builtins.ValueError", False)


def test_sentry_sends_each_failure_once_and_a_transaction_for_each_run(
    face: Path, tmp_path: Path, redis_server: RedisServer
) -> None:
    place = f"redis://127.0.0.1:{redis_server.port}"
    env = {
        **os.environ,
        "BROKER": f"{place}/58",
        "BACKEND": f"{place}/59",
        "PYTHONPATH": str(HERE),
        "C_FORCE_ROOT": "1",
        "PATIENCE": str(patience()),
    }
    notes = tmp_path / "notes"
    notes.touch()
    program = "from watched import app; app.Worker(concurrency=1, loglevel='INFO').start()"
    with (tmp_path / "log").open("wb") as log:
        worker = nursery(face).start([face, "-c", program, notes], cwd=tmp_path, env=env, stdout=log)
    try:
        done = nursery(face).run([face, HERE / "watched.py", notes], cwd=tmp_path, env=env)
        assert done.stdout == "3 ValueError('as asked')\n", done.stderr + (tmp_path / "log").read_text()
    finally:
        worker.terminate()
        assert worker.wait(patience()) == 0, (tmp_path / "log").read_text()
    found = [json.loads(line) for line in notes.read_text().splitlines()]
    told = sorted((kind, name, errors) for kind, name, errors, _, _, _ in found)
    assert told == [
        ("event", "watched.fail", ["ValueError"]),
        ("transaction", "program", []),
        ("transaction", "watched.add", []),
        ("transaction", "watched.fail", []),
    ]
    assert len({trace for _, _, _, trace, _, _ in found}) == 1  # what the program began goes on in the worker's child
    spans = next(spans for kind, name, _, _, spans, _ in found if name == "program")
    assert {"queue.submit.celery", "queue.publish"} == set(spans)


def test_exporters_see_workers_and_what_becomes_of_tasks(face: Path, tmp_path: Path, redis_server: RedisServer) -> None:
    found = told(face, "exported", f"redis://127.0.0.1:{redis_server.port}/48", folder=tmp_path)
    assert {tuple(each[:2]) for each in found["told"]} >= {
        ("exported.add", "sent"),
        ("exported.add", "succeeded"),
        ("exported.fail", "failed"),
        ("exported", "worker-online"),
    }
    assert ["exported.add", "succeeded", None, True, True] in found["told"]
    assert ["exported.fail", "failed", "ValueError('no')", False, True] in found["told"]
    assert all(alive for _, type, _, alive in (each for each in found["told"] if len(each) == 4) if type == "worker-online")
    assert "celery" in found["queues"]
    assert (found["transport"], found["waiting"]) == ("redis", [0, 1])
    assert found["processes"] == [1]
