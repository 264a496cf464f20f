"""Answers of many kinds, of Celery and of the face: the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.face.both import at_once, differences


@pytest.mark.parametrize(("name", "least"), [("answers.py", 40), ("result_answers.py", 30)])
def test_celery_and_the_face_answer_alike(real: Path, face: Path, tmp_path: Path, name: str, least: int) -> None:
    def ask(python: Path) -> Any:
        script = Path(__file__).with_name(name)
        done = subprocess.run([python, script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    theirs, ours = at_once(lambda: ask(real), lambda: ask(face))
    assert len(theirs) > least
    assert differences(theirs, ours) == []
