"""`umbel result`."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any

import pytest
from tests.cli.project import Project

from umbel import Umbel
from umbel.testing.waiting import NEVER
from umbel.wire.result import encode


@pytest.fixture
def app(project: Project) -> Any:
    """The project's app, seen from another process."""
    with Umbel("other", broker="sqlite:///q.db", set_as_current=False) as app:
        yield app


def store(app: Umbel, id_: str, state: str, value: object, **more: Any) -> None:
    app.backend.store([encode(id_, state, value, **more)])


def test_what_has_ended_is_printed(project: Project, app: Umbel) -> None:
    store(app, "good", "SUCCESS", [1, "two"])
    store(app, "bad", "FAILURE", ValueError("no"), traceback="Traceback …\nValueError: no\n")
    done = project.umbel("result", "good")
    assert (done.code, done.out) == (0, "[1, 'two']\n")
    done = project.umbel("result", "bad")
    assert (done.code, done.err) == (1, "FAILURE: ValueError: no\n")
    assert project.umbel("result", "bad", "--traceback").err == "Traceback …\nValueError: no\n"


def test_how_far_it_is_is_told(project: Project, app: Umbel) -> None:
    store(app, "x", "PROGRESS", {"current": 3, "total": 10, "description": "reading\x1b[2J"})
    done = project.umbel("result", "x")
    assert (done.code, done.err) == (69, "PROGRESS: 3 of 10 (30%): reading\\x1b[2J\n")
    store(app, "y", "STARTED", {"pid": 1})
    assert project.umbel("result", "y").err == "STARTED: it has not ended, and says {'pid': 1}\n"


def test_a_task_is_followed_until_it_has_ended(project: Project, app: Umbel) -> None:
    store(app, "x", "PROGRESS", {"current": 3, "total": 10})

    def go_on() -> None:
        store(app, "x", "PROGRESS", {"current": 7, "total": 10})
        seen.wait(NEVER)
        store(app, "x", "SUCCESS", "there")

    seen, heard = threading.Event(), io.StringIO()

    class Err(io.StringIO):
        def write(self, text: str) -> int:
            if "3 of 10" in text:
                threading.Thread(target=go_on).start()
            if "7 of 10" in text:
                seen.set()
            return heard.write(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", Err())
        done = project.umbel("result", "x", "--follow")
    assert (done.code, done.out) == (0, "'there'\n")
    assert heard.getvalue().splitlines() == ["3 of 10 (30%)", "7 of 10 (70%)", "1 of 1 (100%)"]


def test_on_a_terminal_a_bar_is_drawn(project: Project, app: Umbel) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    store(app, "x", "PROGRESS", {"current": 3, "total": 10, "description": "reading [bold]"})
    store(app, "y", "SUCCESS", 5)
    with pytest.MonkeyPatch.context() as patch:
        terminal = Terminal()
        patch.setattr(sys, "stderr", terminal)
        patch.setenv("TERM", "xterm")
        assert project.umbel("result", "x", "--follow", "--wait", "0.1").code == 69
        assert project.umbel("result", "y", "--follow").code == 0
    assert "reading [bold]" in terminal.getvalue()
    assert "3/10" in terminal.getvalue()
