"""What is only drawn on a terminal, seen on one."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence

import psutil
import pytest
from tests.cli.project import Project

from umbel.testing.waiting import patience, until


class Terminal:
    """A command on a terminal of its own, 90 columns wide."""

    def __init__(self, project: Project, *words: str, before: Sequence[str] = ()):
        self.seen = ""
        self._file, end = pty.openpty()
        ends = {"stdin": end, "stdout": end, "stderr": end, "env": os.environ | {"TERM": "xterm", "COLUMNS": "90"}}
        self._process = project.start(*words, before=before, start_new_session=True, **ends)
        os.close(end)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; SIGINT is what Ctrl-C does."""
        self._process.send_signal(number)

    def sleeps(self) -> None:
        """Wait until it waits: Python may miss a Ctrl-C between showing a prompt and reading the answer."""
        until(lambda: psutil.Process(self._process.pid).status() == psutil.STATUS_SLEEPING)

    def type(self, text: str) -> None:
        os.write(self._file, text.encode())

    def until(self, text: str) -> None:
        """Read on until `text` has been seen."""
        deadline = time.monotonic() + patience()
        while text not in self.seen:
            assert self._more(deadline), self.seen

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        deadline = time.monotonic() + patience()
        while self._more(deadline):
            pass
        return self._process.wait(patience())

    def close(self) -> None:
        """End it, if it still runs."""
        self._process.kill()
        self._process.wait(patience())
        os.close(self._file)

    def _more(self, deadline: float) -> bool:
        """True if there was something to read, False at the end; a program that shows something for ever is in time, too."""
        left = deadline - time.monotonic()
        assert left > 0, f"it does not end: {self.seen[-2000:]}"
        assert select.select([self._file], (), (), left)[0], f"it shows no more: {self.seen[-2000:]}"
        try:
            data = os.read(self._file, 65536)
        except OSError:  # Linux tells the end of a terminal by EIO
            return False
        self.seen += data.decode().replace("\r\n", "\n")
        return bool(data)


Start = Callable[..., Terminal]
Before = Sequence[str]
SHOWN, LEFT = "\x1b[?25h", "\x1b[?1049l"
"""The cursor is shown again, and the screen that was drawn on left."""

started = pytest.mark.parametrize(
    "how",
    [
        pytest.param((), id="from a shell"),
        pytest.param(("/bin/sh", "-c", "trap '' INT TERM HUP; exec \"$@\"", "sh"), id="in the background of a script"),
    ],
)
"""A script's shell lets what it starts in the background ignore SIGINT, `nohup` SIGHUP; nothing can be ignored more than that."""


@pytest.fixture
def on_terminal(project: Project) -> Iterator[Start]:
    """Starts a command on a terminal; what still runs at the end of the test is killed."""
    opened: list[Terminal] = []

    def start(*words: str, before: Before = ()) -> Terminal:
        opened.append(Terminal(project, *words, before=before))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 130, 2), ("\n", 130, 2)])
def test_a_question_is_asked_and_its_answer_heard(
    project: Project, on_terminal: Start, answer: str, code: int, left: int
) -> None:
    project.send("proj.add", "proj.add")
    terminal = on_terminal("purge")
    terminal.until("Delete 2 tasks from celery at sqlite:///")
    terminal.type(answer)
    assert terminal.end() == code
    broker = project.broker()
    assert broker.depth(["celery"])["celery"].ready == left
    broker.close()


@started
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_queues_are_watched_until_ctrl_c(
    project: Project, on_terminal: Start, number: signal.Signals, code: int, how: Before
) -> None:
    project.send("proj.add")
    terminal = on_terminal("queues", "--watch", before=how)
    terminal.until("celery")
    project.send("proj.add", queue="mail")
    terminal.until("mail")
    terminal.signal(number)
    assert terminal.end() == code
    assert "Traceback" not in terminal.seen
    assert SHOWN in terminal.seen[-40:]
    assert LEFT in terminal.seen[-40:]


@started
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_question_that_is_not_answered_ends(
    project: Project, on_terminal: Start, number: signal.Signals, code: int, how: Before
) -> None:
    project.send("proj.add")
    terminal = on_terminal("purge", before=how)
    terminal.until("Delete 1 task from celery")
    terminal.sleeps()
    terminal.signal(number)
    assert terminal.end() == code
    assert "Traceback" not in terminal.seen


def test_long_work_shows_its_progress(project: Project, on_terminal: Start) -> None:
    project.bury(*["proj.add"] * 1500)
    terminal = on_terminal("dead", "retry", "--all", "--force")
    assert terminal.end() == 0
    assert "sending again" in terminal.seen
    assert "sent 1,500 tasks again" in terminal.seen


@started
def test_a_worker_on_a_terminal_shows_its_flower_and_stops_on_ctrl_c(project: Project, on_terminal: Start, how: Before) -> None:
    terminal = on_terminal("worker", "-c", "1", "-n", "w1@box", "-l", "INFO", before=how)
    terminal.until("w1@box ready.")
    assert "\x1b[32m" in terminal.seen
    assert "Ctrl-C finishes what runs, twice stops at once." in terminal.seen
    terminal.signal(signal.SIGINT)
    assert terminal.end() in (0, 1)
    assert "Traceback" not in terminal.seen


def test_no_color_is_obeyed(project: Project, on_terminal: Start) -> None:
    project.send("proj.add")
    terminal = on_terminal("-C", "queues")
    assert terminal.end() == 0
    assert "celery" in terminal.seen
    assert "\x1b[3" not in terminal.seen
