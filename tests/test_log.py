from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from umbel import log


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Every test configures logging for the whole process; give it back as it was."""
    loggers = [logging.getLogger(name) for name in ("", "umbel", "umbel.task")]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    streams = sys.stdout, sys.stderr
    yield
    sys.stdout, sys.stderr = streams
    for logger, handlers, level, propagate in before:
        for handler in logger.handlers:
            if handler not in handlers:
                handler.close()
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
    log.enter_child("", 0)


def in_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "current_task_of", lambda: ("proj.add", "id-1"))


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_line_tells_time_level_process_and_text(tmp_path: Path) -> None:
    log.setup("INFO", str(tmp_path / "w.log"))
    logging.getLogger("umbel.worker").info("w1@host ready.")
    assert re.fullmatch(
        r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: INFO/MainProcess\] w1@host ready\.", lines(tmp_path / "w.log")[0]
    )


def test_what_is_below_the_level_is_not_written(tmp_path: Path) -> None:
    log.setup("warning", str(tmp_path / "w.log"))
    logging.getLogger("umbel.worker").info("quiet")
    logging.getLogger("anything").warning("loud")
    assert [line.split("] ")[1] for line in lines(tmp_path / "w.log")] == ["loud"]


def test_a_task_logger_tells_which_task_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.setup("INFO", str(tmp_path / "w.log"))
    in_task(monkeypatch)
    log.get_task_logger("proj.tasks.speaks").info("hello")
    assert lines(tmp_path / "w.log")[0].endswith("] proj.add[id-1]: hello")


def test_a_library_that_logs_inside_a_task_tells_the_task_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.setup("INFO", str(tmp_path / "w.log"))
    logging.getLogger("some.library").info("outside")
    in_task(monkeypatch)
    logging.getLogger("some.library").info("inside")
    assert [line.split("] ", 1)[1] for line in lines(tmp_path / "w.log")] == ["outside", "proj.add[id-1]: inside"]


def test_a_format_of_the_users_own_is_kept_inside_tasks_and_may_name_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.setup("INFO", str(tmp_path / "w.log"), format="%(task_id)s|%(message)s")
    logging.getLogger("some.library").info("outside")
    in_task(monkeypatch)
    logging.getLogger("some.library").info("inside")
    assert lines(tmp_path / "w.log") == ["???|outside", "id-1|inside"]


def test_a_task_line_is_written_once(tmp_path: Path) -> None:
    log.setup("INFO", str(tmp_path / "w.log"))
    log.get_task_logger("proj.tasks.once").info("hello")
    assert len(lines(tmp_path / "w.log")) == 1


def test_get_task_logger_gives_the_logger_of_that_name_below_umbel_task() -> None:
    logger = log.get_task_logger("proj.tasks.below")
    assert logger is logging.getLogger("proj.tasks.below")
    assert logger.parent is logging.getLogger("umbel.task")
    assert log.get_task_logger("proj.tasks.below.deeper").parent is logger
    assert log.get_task_logger("umbel.task").parent is not logging.getLogger("umbel.task")


def test_root_handlers_are_replaced(tmp_path: Path) -> None:
    mine = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(mine)
    root, _ = log.setup("INFO", str(tmp_path / "w.log"))
    assert mine not in root.handlers


def test_without_hijack_the_roots_handlers_stay_and_get_umbels_lines() -> None:
    kept = io.StringIO()
    mine = logging.StreamHandler(kept)
    root = logging.getLogger()
    root.addHandler(mine)
    log.setup("INFO", hijack_root=False)
    logging.getLogger("umbel.worker").info("ready")
    assert mine in root.handlers
    assert kept.getvalue() == "ready\n"


def test_setup_twice_leaves_one_handler(tmp_path: Path) -> None:
    log.setup("INFO", str(tmp_path / "a.log"))
    root, tasks = log.setup("INFO", str(tmp_path / "b.log"))
    assert (len(root.handlers), len(tasks.handlers)) == (1, 1)


def test_levels_are_taken_by_name_in_any_case_and_by_number() -> None:
    assert [log.level_of(level) for level in ("debug", "Info", "FATAL", "15", 7)] == [10, 20, 50, 15, 7]


def test_an_unknown_level_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'loud' is no log level; levels are DEBUG, INFO"):
        log.level_of("loud")


def test_a_colour_marks_warnings_and_errors_only_when_wished() -> None:
    def line(level: int, use_color: bool) -> str:
        return log.LineFormatter("%(message)s", use_color).format(logging.LogRecord("x", level, "", 0, "hey", (), None))

    assert line(logging.ERROR, True) == "\x1b[31mhey\x1b[0m"
    assert line(logging.INFO, True) == "hey"
    assert line(logging.ERROR, False) == "hey"


def test_colour_is_for_terminals_unless_no_color_or_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert log.has_color(Terminal())
    assert not log.has_color(io.StringIO())
    assert log.has_color(io.StringIO(), wish=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not log.has_color(Terminal())


def test_prints_become_lines_of_the_log(tmp_path: Path) -> None:
    log.setup("INFO", str(tmp_path / "w.log"))
    log.redirect("WARNING")
    print("one\ntwo")
    print("thr", end="")
    print("ee")
    print("rest", end="", flush=True)
    log.restore()
    assert [line.split(": ", 1)[1] for line in lines(tmp_path / "w.log")] == [
        "WARNING/MainProcess] one",
        "WARNING/MainProcess] two",
        "WARNING/MainProcess] three",
        "WARNING/MainProcess] rest",
    ]


def test_a_redirected_stream_still_answers_what_libraries_ask(tmp_path: Path) -> None:
    origin = (tmp_path / "out").open("w", encoding="utf-8")
    with origin:
        stream = log.Redirected(origin, logging.WARNING)
        assert stream.fileno() == origin.fileno()
        assert stream.encoding == "utf-8"
        assert stream.buffer is origin.buffer
        assert stream.writable()
        assert not stream.isatty()


def test_a_handler_that_prints_does_not_call_itself_for_ever() -> None:
    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("from the handler")

    shown = io.StringIO()
    log.setup("INFO")
    logging.getLogger().addHandler(Printing())
    sys.stdout = log.Redirected(shown, logging.WARNING)
    print("hello")
    assert shown.getvalue() == "from the handler\n"


def test_redirecting_twice_stands_for_the_real_stream() -> None:
    real = sys.stdout
    log.redirect()
    log.redirect()
    log.restore()
    assert sys.stdout is real


def test_each_child_process_writes_its_own_file_under_its_own_name(tmp_path: Path) -> None:
    log.setup("INFO", str(tmp_path / "w%I.log"))
    logging.getLogger("umbel.worker").info("parent")
    log.enter_child("Child-2", 2)
    log.get_task_logger("proj.child").info("child")
    assert lines(tmp_path / "w.log")[0].endswith("INFO/MainProcess] parent")
    assert lines(tmp_path / "w-2.log")[0].endswith("INFO/Child-2] ???[???]: child")


def test_a_log_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "w.log"
    log.setup("INFO", str(path))
    logging.getLogger("x").info("one")
    path.rename(tmp_path / "w.log.1")
    logging.getLogger("x").info("two")
    assert len(lines(path)) == 1


def test_a_task_formatter_serves_in_a_handler_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    in_task(monkeypatch)
    formatter = log.TaskFormatter("%(task_name)s %(task_id)s %(message)s")
    assert formatter.format(logging.LogRecord("x", logging.INFO, "", 0, "hey", (), None)) == "proj.add id-1 hey"


def test_importing_log_brings_no_sockets() -> None:
    code = "import sys, umbel.log; sys.exit(any(m in sys.modules for m in ('socket', 'logging.handlers', 'asyncio')))"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
