"""The tour of docs/start.md, word for word: each block is typed as it stands there, and says what it says there."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from umbel.testing.waiting import patience, until

PAGE = (Path(__file__).parents[2] / "docs" / "start.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def env() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("UMBEL_", "CELERY_"))}
    return clean | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_the_tour_is_true(tmp_path: Path, env: dict[str, str]) -> None:
    install, (_, tasks), (_, worker), *sessions = BLOCKS
    assert install == ("", "pip install .\n")  # what `scripts/setup` has done for this test
    assert re.search(r"Write `tasks\.py`:\n\n```python", PAGE)
    (tmp_path / "tasks.py").write_text(tasks)
    (tmp_path / "session.txt").write_text("".join(text for kind, text in sessions if kind == "pycon"))
    log = tmp_path / "worker.log"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=patience())

    with log.open("wb") as out:
        process = subprocess.Popen(shlex.split(worker), cwd=tmp_path, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: "ready." in log.read_text() or process.poll() is not None, saying=log.read_text)
        for said in ("celery", "tasks.add", f"{tmp_path}/umbel.db"):  # queues, tasks, and where they are
            assert said in log.read_text()
        done = run(sys.executable, "-m", "doctest", "-o", "ELLIPSIS", "session.txt")
        assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(patience()) == 0
    finally:
        process.kill()
        process.wait()
    assert run(sys.executable, "-c", "from tasks import add; add.delay(1, 2)").returncode == 0
    shown = run("umbel", "-A", "tasks", "queues").stdout
    assert re.search(r"^celery +1 ", shown, re.MULTILINE), shown


def test_all_that_is_typed_was_typed_here() -> None:
    kinds = [kind for kind, _ in BLOCKS]
    assert kinds == ["", "python", "", "pycon", "pycon"]
