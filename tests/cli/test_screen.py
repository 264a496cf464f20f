"""What is only drawn on a terminal, seen on one."""

from __future__ import annotations

import os
import pty
import select
import signal
import time

import pytest
from tests.cli.project import Project


class Terminal:
    """A command on a terminal of its own, 90 columns wide."""

    def __init__(self, project: Project, *words: str):
        self.seen = ""
        self._file, end = pty.openpty()
        ends = {"stdin": end, "stdout": end, "stderr": end, "env": os.environ | {"TERM": "xterm", "COLUMNS": "90"}}
        self._process = project.start(*words, start_new_session=True, **ends)
        os.close(end)

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def type(self, text: str) -> None:
        os.write(self._file, text.encode())

    def until(self, text: str, seconds: float = 15.0) -> None:
        """Read on until `text` has been seen."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert self._more(deadline - time.monotonic()), self.seen

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        while self._more(20.0):
            pass
        os.close(self._file)
        return self._process.wait(20)

    def _more(self, seconds: float) -> bool:
        if not select.select([self._file], (), (), max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self._file, 65536)
        except OSError:  # Linux tells the end of a terminal by EIO
            return False
        self.seen += data.decode().replace("\r\n", "\n")
        return bool(data)


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 130, 2), ("\n", 130, 2)])
def test_a_question_is_asked_and_its_answer_heard(project: Project, answer: str, code: int, left: int) -> None:
    project.send("proj.add", "proj.add")
    terminal = Terminal(project, "purge")
    terminal.until("Delete 2 tasks from celery at sqlite:///")
    terminal.type(answer)
    assert terminal.end() == code
    broker = project.broker()
    assert broker.depth(["celery"])["celery"].ready == left
    broker.close()


def test_queues_are_watched_until_ctrl_c(project: Project) -> None:
    project.send("proj.add")
    terminal = Terminal(project, "queues", "--watch")
    terminal.until("celery")
    project.send("proj.add", queue="mail")
    terminal.until("mail")
    terminal.interrupt()
    assert terminal.end() == 0
    assert "Traceback" not in terminal.seen


def test_long_work_shows_its_progress(project: Project) -> None:
    project.bury(*["proj.add"] * 1500)
    terminal = Terminal(project, "dead", "retry", "--all", "--force")
    assert terminal.end() == 0
    assert "sending again" in terminal.seen
    assert "sent 1,500 tasks again" in terminal.seen


def test_a_worker_on_a_terminal_shows_its_flower_and_stops_on_ctrl_c(project: Project) -> None:
    terminal = Terminal(project, "worker", "-c", "1", "-n", "w1@box", "-l", "INFO")
    terminal.until("w1@box ready.")
    assert "\x1b[32m" in terminal.seen
    assert "Ctrl-C finishes what runs, twice stops at once." in terminal.seen
    terminal.interrupt()
    assert terminal.end() in (0, 1)
    assert "Traceback" not in terminal.seen


def test_no_color_is_obeyed(project: Project) -> None:
    project.send("proj.add")
    terminal = Terminal(project, "-C", "queues")
    assert terminal.end() == 0
    assert "celery" in terminal.seen
    assert "\x1b[3" not in terminal.seen
