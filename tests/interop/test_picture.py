"""Random events give the same picture in Celery's State and in umbel's."""

from __future__ import annotations

import os
import random
import subprocess

from tests.interop.fleet import PROJECT, python_of

from umbel.testing.waiting import patience


def test_both_draw_the_same_picture() -> None:
    seeds = [str(random.randrange(1 << 32)) for _ in range(4)]
    told = {}
    for system in ("celery", "umbel"):
        command = [python_of(system), str(PROJECT / "picture.py"), *seeds]
        done = subprocess.run(
            command, env={**os.environ, "SYSTEM": system}, capture_output=True, text=True, timeout=patience(), check=True
        )
        told[system] = done.stdout.splitlines()
    assert len(told["umbel"]) > 2000
    assert [pair for pair in zip(told["umbel"], told["celery"], strict=True) if pair[0] != pair[1]] == []
