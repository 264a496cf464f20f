"""What a worker and those who send say when something is odd: each once, in a line, with no secret in it."""

from __future__ import annotations

import io
import logging
import logging.config
import subprocess
import sys

import pytest
from tests.worker.serving import serving

from umbel import Umbel, log
from umbel.testing.waiting import patience, until


@pytest.fixture
def app():
    with Umbel("lines", broker="memory://lines") as made:
        yield made


def test_no_id_and_no_name_begins_a_line_of_its_own(app: Umbel, caplog: pytest.LogCaptureFixture) -> None:
    forged = "x\n[2026-01-01 00:00:00,000: CRITICAL/MainProcess] all is lost\x1b[2J"

    @app.task(name="add")
    def add(x):
        logging.getLogger("umbel.task").warning("inside")
        return 1 / x

    caplog.set_level(logging.DEBUG, "umbel")
    with serving(app):
        for number, shadow in enumerate((None, "pretty\rname")):
            result = add.apply_async((number,), task_id=f"{forged}{number}", shadow=shadow)
            result.get(timeout=patience(), propagate=False)
        app.send_task("gone", (), task_id=f"{forged}2")
        app.send_task("late", (), task_id=f"{forged}3", expires=-5)
        add.apply_async((1,), task_id=f"{forged}4", expires=-5).get(timeout=patience(), propagate=False)
        until(lambda: any("left to other workers" in record.getMessage() for record in caplog.records))
    formatter = log.TaskFormatter()
    told = [record for record in caplog.records if "all is lost" in formatter.format(record)]
    assert len(told) >= 6
    for record in told:
        first, *more = formatter.format(record).split("\n")
        assert "all is lost\\x1b[2J" in first
        assert not [line for line in more if "all is lost" in line and not line.startswith(("  ", "Traceback"))]
    assert any("Discarding expired task: add[x\\n" in record.getMessage() for record in caplog.records)


def test_what_whoever_starts_it_may_not_have_meant_is_said(app: Umbel, caplog: pytest.LogCaptureFixture) -> None:
    with serving(app):
        pass
    assert "this worker knows no task: name their modules with include (or -I)" in caplog.text
    assert "memory:// is in" not in caplog.text  # others in this process may well send to it
    done = subprocess.run(
        [sys.executable, "-m", "umbel", "-b", "memory://", "-A", "tests.worker.test_lines:alone", "worker", "-P", "solo"],
        capture_output=True,
        text=True,
        timeout=patience(),
    )
    assert "memory:// is in this process alone: nobody else can send to this worker" in done.stderr


alone = Umbel("alone", broker="memory://", set_as_current=False)
if "-P" in sys.argv:
    from umbel import signals

    signals.worker_ready.connect(lambda sender, **_: sender.stop(), weak=False)


def test_two_workers_of_one_name_are_told(app: Umbel, caplog: pytest.LogCaptureFixture) -> None:
    app.task(lambda: None, name="add")
    with Umbel("lines", broker="memory://lines", set_as_current=False) as other:
        other.task(lambda: None, name="add")
        with serving(app, hostname="same@box"), serving(other, hostname="other@box"):
            assert "give each a name of its own" not in caplog.text
        with serving(app, hostname="same@box"), serving(other, hostname="same@box"):
            until(lambda: caplog.text.count("Another worker is called same@box, too") == 2)


def test_set_ups_of_others_do_not_silence_a_worker() -> None:
    logger = logging.getLogger("umbel.worker.silenced")
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
    assert logger.disabled
    before = logging.getLogger().handlers[:]
    try:
        log.setup("INFO")
        assert not logger.disabled
    finally:
        logging.getLogger().handlers[:] = before
        for name in list(logging.Logger.manager.loggerDict):
            logging.getLogger(name).disabled = False


def test_what_stands_in_for_stdout_has_all_that_a_stream_has() -> None:
    origin = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace", write_through=True)
    stand_in = log.Redirected(origin, logging.WARNING)
    stand_in.reconfigure(encoding="utf-8", line_buffering=True)
    assert (stand_in.encoding, stand_in.line_buffering, stand_in.errors) == ("utf-8", True, "strict")
    with pytest.raises(AttributeError):
        _ = stand_in.nonsense
    assert not stand_in.isatty()


DOWN = """
from umbel import Umbel
app = Umbel("x", broker="redis://:sec#ret@localhost:1/0", backend="redis://:sec#ret@localhost:1/0")
app.task(lambda x: x, name="add").delay(1)
"""


def test_a_store_that_is_away_is_one_clear_exception() -> None:
    done = subprocess.run([sys.executable, "-c", DOWN], capture_output=True, text=True, timeout=patience())
    assert done.returncode == 1
    *frames, last = done.stderr.splitlines()
    assert last.startswith("umbel.errors.BrokerDown: redis://localhost:1/0 cannot be reached: ")
    assert len(frames) < 20
    assert done.stderr.count("Traceback") == 1
    assert "sec" not in done.stderr.replace("seconds", "")
