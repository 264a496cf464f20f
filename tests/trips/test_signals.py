"""What a worker does when it is told something by a signal, from its first line on, and what it is started with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from tests.trips.project import Project, Worker

from umbel.testing.waiting import patience, until

Make = Callable[..., Project]

WAIT = """
@app.task
def wait():
    tell("began", os.getpid())
    while not os.path.exists("gate"):
        time.sleep(0.005)
    tell("ended", os.getpid())
    return "finished"

@app.task
def version():
    return "old"
"""


def start(made: Project, *options: str, stdin: int = subprocess.DEVNULL, **kwargs: object) -> Worker:
    """A worker that may not be ready yet, with no terminal."""
    logfile = made.folder / "w.log"
    command = [sys.executable, "-m", "umbel", "-A", "proj", "worker", "-l", "INFO", "-n", "w@host", *options]
    with logfile.open("ab") as out:
        process = subprocess.Popen(command, cwd=made.folder, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, **kwargs)  # type: ignore[call-overload]
    return Worker(process, logfile)


def ready(worker: Worker, times: int = 1) -> None:
    until(lambda: worker.log.count("ready.") == times or worker.process.poll() is not None, saying=lambda: worker.log)
    assert worker.process.poll() is None, worker.log


# -- SIGHUP ------------------------------------------------------------------------------------------------------------


def test_sighup_finishes_what_runs_and_begins_anew_with_the_code_as_it_is_then(project: Make) -> None:
    made = project(WAIT)
    (made.folder / "elsewhere").mkdir()
    worker = start(made, "-c", "1", "--pidfile", str(made.folder / "w.pid"))
    try:
        ready(worker)
        running = made.app.send_task("proj.wait")
        until(made.effects)
        worker.signal(signal.SIGHUP)
        until(lambda: "Warm stop" in worker.log)
        source = made.folder / "proj.py"
        source.write_text(source.read_text().replace('"old"', '"brand new"'))
        (made.folder / "gate").touch()
        assert running.get(timeout=patience()) == "finished"
        ready(worker, 2)
        assert made.app.send_task("proj.version").get(timeout=patience()) == "brand new"
        assert (made.folder / "w.pid").read_text() == f"{worker.process.pid}\n"
        worker.signal(signal.SIGHUP)
        ready(worker, 3)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        assert not (made.folder / "w.pid").exists()
    finally:
        worker.kill_all()


def test_sigterm_after_sighup_is_a_warm_stop(project: Make) -> None:
    made = project(WAIT)
    worker = start(made, "-c", "1")
    try:
        ready(worker)
        running = made.app.send_task("proj.wait")
        until(made.effects)
        worker.signal(signal.SIGHUP)
        until(lambda: "Warm stop" in worker.log)
        worker.signal(signal.SIGTERM)
        until(lambda: "Not beginning anew" in worker.log)
        (made.folder / "gate").touch()
        assert worker.wait() == 0
        assert running.get(timeout=patience()) == "finished"
    finally:
        worker.kill_all()


def test_sighup_right_behind_sigterm_is_part_of_the_same_wish(project: Make) -> None:
    made = project(WAIT)
    worker = start(made, "-c", "1")
    try:
        ready(worker)
        for number in (signal.SIGTERM, signal.SIGHUP):  # as systemd does where SendSIGHUP=yes
            worker.signal(number)
        assert worker.wait() == 0
        assert worker.log.count("ready.") == worker.log.count("Warm stop") == 1
    finally:
        worker.kill_all()


def test_a_worker_in_the_background_begins_anew_at_sighup(project: Make) -> None:
    made = project(WAIT)
    words = ("-D", "-f", "%n.log", "--pidfile", "w.pid", "-c", "1")
    starter = start(made, *words)
    assert starter.wait() == 0, starter.log
    pid, log = int((made.folder / "w.pid").read_text()), made.folder / "w.log"
    try:
        os.kill(pid, signal.SIGHUP)
        until(lambda: log.read_text().count("ready.") == 2, saying=log.read_text)
        assert int((made.folder / "w.pid").read_text()) == pid
        assert made.app.send_task("proj.version").get(timeout=patience()) == "old"
        os.kill(pid, signal.SIGTERM)
        until(lambda: not (made.folder / "w.pid").exists())
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def test_nohup_is_respected(project: Make) -> None:
    made = project(WAIT)
    worker = start(made, "-c", "1", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    try:
        ready(worker)
        for pid in worker.family():
            os.kill(pid, signal.SIGHUP)
        assert made.app.send_task("proj.version").get(timeout=patience()) == "old"
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        assert worker.log.count("ready.") == worker.log.count("Warm stop") == 1
    finally:
        worker.kill_all()


# -- the first lines ----------------------------------------------------------------------------------------------------

SLOW_IMPORT = """
import pathlib
pathlib.Path("importing").touch()
for _ in range(6000):
    {wait}
"""


@pytest.mark.parametrize("wait", ["time.sleep(0.01)", "\n    try: time.sleep(0.01)\n    except BaseException: break"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_still_imports_its_project_can_be_stopped(project: Make, wait: str, number: signal.Signals) -> None:
    made = project(WAIT + SLOW_IMPORT.format(wait=wait))
    worker = start(made, "-c", "1")
    try:
        until((made.folder / "importing").exists)
        worker.signal(number)
        assert worker.wait() == (0 if number == signal.SIGTERM else 130)
        assert "Traceback" not in worker.log
        assert "ready." not in worker.log
    finally:
        worker.kill_all()


def test_sighup_while_it_imports_is_answered_as_soon_as_it_can_be(project: Make) -> None:
    made = project("import pathlib\npathlib.Path('importing').touch()\ntime.sleep(0.3)\n" + WAIT)
    worker = start(made, "-c", "1")
    try:
        until((made.folder / "importing").exists)
        worker.signal(signal.SIGHUP)
        ready(worker, 2)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    finally:
        worker.kill_all()


def test_a_worker_that_cannot_have_its_descriptors_says_so_and_exits(project: Make) -> None:
    made = project(WAIT)
    command = f"ulimit -n 256; exec {sys.executable} -m umbel -A proj worker -c 64"
    done = subprocess.run(["sh", "-c", command], cwd=made.folder, capture_output=True, text=True, timeout=patience(), check=False)
    assert done.returncode == 1
    assert "umbel: 64 child processes take " in done.stderr
    assert "ulimit -n" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_worker_that_is_started_with_closed_streams_works(project: Make, closed: str) -> None:
    made = project("""
        @app.task
        def say():
            print("hello")
            return os.system("echo hello; echo hello >&2") or len([os.fstat(number) for number in range(3)])
        """)
    command = f"exec {sys.executable} -m umbel -A proj worker -c 1 -f w.log -l INFO {closed}"
    process = subprocess.Popen(["sh", "-c", command], cwd=made.folder, stderr=subprocess.DEVNULL)
    worker = Worker(process, made.folder / "w.log")
    try:
        until(lambda: worker.logfile.exists() and "ready." in worker.log)
        assert made.app.send_task("proj.say").get(timeout=patience()) == 3
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    finally:
        worker.kill_all()


# -- soft stops ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [(signal.SIGQUIT,), (signal.SIGTERM, signal.SIGTERM)])
def test_a_cold_stop_first_lets_end_what_can(project: Make, numbers: tuple[signal.Signals, ...]) -> None:
    made = project("app.conf.worker_soft_shutdown_timeout = 30\n" + WAIT)
    running = made.app.send_task("proj.wait")
    with made.worker("-c", "1") as worker:
        until(made.effects)
        for number in numbers:
            worker.signal(number)
            until(lambda: "stop: " in worker.log)
        until(lambda: "Soft stop" in worker.log)
        (made.folder / "gate").touch()
        assert worker.wait() == 0
    assert running.get(timeout=patience()) == "finished"


@pytest.mark.parametrize(("seconds", "signals"), [("0.3", 1), ("60", 2)])
def test_a_soft_stop_ends_cold_after_its_time_or_at_the_next_signal(project: Make, seconds: str, signals: int) -> None:
    made = project(f"app.conf.worker_soft_shutdown_timeout = {seconds}\n" + WAIT)
    made.app.send_task("proj.wait")
    with made.worker("-c", "1") as worker:
        until(made.effects)
        for _ in range(signals):
            worker.signal(signal.SIGQUIT)
            until(lambda: "Soft stop" in worker.log)
        assert worker.wait() == 1
    assert made.app.broker.depth(["celery"])["celery"].ready == 1
