"""`app.start` and `app.worker_main`: command lines for an app, from a program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from umbel import Umbel
from umbel.testing.waiting import patience

PROGRAM = """
import sys
from umbel import Umbel as Celery

app = Celery("mine", broker="sqlite:///q.db", backend="sqlite:///q.db")

@app.task(name="name_of_app")
def name_of_app():
    return app.main

if __name__ == "__main__":
    sys.exit(app.worker_main(["worker", "-c", "1", "--loglevel=INFO"]))
"""


def test_a_program_is_a_worker(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    place = f"sqlite:///{tmp_path}/q.db"
    with Umbel("asks", broker=place, backend=place, set_as_current=False) as app:
        result = app.send_task("name_of_app")
        process = subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path)
        try:
            assert result.get(timeout=patience()) == "mine"
        finally:
            process.terminate()
            code = process.wait(patience())
    assert code == 0


def test_any_command_is_for_the_app_whatever_the_environment_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UMBEL_APP", "of_nobody")
    for main in ("mine", None):
        with Umbel(main, broker=f"sqlite:///{tmp_path}/q.db", set_as_current=False) as app:
            app.conf.task_queues = ["letters"]
            assert app.start(["queues", "--json"]) == 0
            assert list(json.loads(capsys.readouterr().out)) == ["letters"]
            app.send_task("any", queue="letters")  # it is still open
            monkeypatch.setattr(sys, "argv", ["program", "purge", "-f"])
            assert app.start() == 0
            assert "deleted 1 task" in capsys.readouterr().out
            assert app.start(["nonsense"]) == 64


def test_a_worker_needs_the_word() -> None:
    app = Umbel("mine", broker="memory://word", set_as_current=False)
    with pytest.raises(ValueError, match="put the word worker into argv"):
        app.worker_main(["-l", "INFO"])
