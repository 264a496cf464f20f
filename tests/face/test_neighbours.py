"""What others build upon Celery, on the face: their own code, as it is released."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from umbel.testing.waiting import patience

HERE = Path(__file__).parent / "neighbours"


def told(face: Path, program: str, *arguments: str, folder: Path) -> Any:
    """What a program prints at its end, as JSON."""
    done = subprocess.run(
        [face, HERE / f"{program}.py", *arguments], cwd=folder, capture_output=True, text=True, timeout=patience(2), check=False
    )
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
    assert added[:3] == ["proj.add", "SUCCESS", "3"]
    assert failed[:2] == ["proj.fail", "FAILURE"]
    assert json.loads(failed[2])["exc_type"] == "ValueError"
    assert found["periodic"][0] == "proj.add"
