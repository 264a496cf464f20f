"""`umbel result`."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any

import pytest
from tests.cli.project import Project

from umbel import Umbel
from umbel.testing.waiting import NEVER, until
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
    assert project.umbel("result", "y").err == "STARTED: it has not ended\n"


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


def test_a_saved_group_is_told_and_its_missing_parts_named(project: Project, app: Umbel) -> None:
    group = app.GroupResult("g", [app.AsyncResult(f"part-{number}") for number in range(15)])
    group.save()
    store(app, "part-0", "SUCCESS", 0)
    done = project.umbel("result", "g")
    names = ", ".join(f"part-{number}" for number in range(1, 11))
    assert (done.code, done.err) == (69, f"1 of 15 (7%) have ended; missing: {names} and 4 more\n")
    for number in range(1, 15):
        store(app, f"part-{number}", "SUCCESS", number)
    done = project.umbel("result", "g", "--follow")
    assert (done.code, done.out) == (0, f"{list(range(15))}\n")
    app.GroupResult("bad", [app.AsyncResult("part-1"), app.AsyncResult("failed")]).save()
    store(app, "failed", "FAILURE", ValueError("no"))
    done = project.umbel("result", "bad")
    assert (done.code, done.err) == (1, "failed FAILURE: ValueError: no\n")


def test_a_chord_that_waits_is_told(project: Project, app: Umbel) -> None:
    from umbel.stores.join import Arrival

    app.backend.expect("c", 3)
    app.backend.arrive([Arrival("c", "a", 0, b'[1, "a", "SUCCESS", 5]')])
    until(lambda: app.backend.parts("c") is not None)
    done = project.umbel("result", "c")
    assert (done.code, done.err) == (69, "a chord that waits: 1 of 3 parts have arrived\n")
