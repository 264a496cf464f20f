from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.project import PROJECT, Project

from umbel.cli.worker import POOLS as OFFERED
from umbel.testing.waiting import patience, until
from umbel.worker.worker import POOLS

TASKS = """
from umbel import Umbel, get_task_logger

app = Umbel("proj", broker="sqlite:///q.db")
log = get_task_logger(__name__)


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("it is broken")


@app.task
def speak():
    print("printed")
    log.warning("logged")
"""


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def running(project: Project, *options: str, **kwargs: object) -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready; stopped at the end, if it still runs."""
    log = project.folder / "w.log"
    process = project.start("worker", "-c", "1", "-n", "w1@box", "-l", "INFO", "-f", str(log), *options, **kwargs)
    try:
        until(lambda: "w1@box ready." in read(log) or process.poll() is not None)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=patience())


def ended(project: Project, *options: str, **kwargs: object) -> tuple[int, str, str]:
    """How a worker that does not start ends."""
    process = project.start("worker", "-c", "1", *options, **kwargs)
    out, err = process.communicate(timeout=patience())
    return process.returncode, out, err


def test_a_call_is_run_and_its_result_shown(project: Project) -> None:
    project.write(TASKS)
    with running(project) as worker:
        sent = project.umbel("call", f"{project.name}.add", "-a", "[2, 3]").out.strip()
        done = project.umbel("result", sent, "--wait", "15")
        assert (done.code, done.out) == (0, "5\n")
        worker.terminate()
        out, err = worker.communicate(timeout=patience())
    assert (worker.returncode, err) == (0, "")
    assert "w1@box" in out
    assert "prefork, 1 at once" in out
    assert f"{project.name}.add" in out
    lines = read(project.folder / "w.log")
    assert "INFO/MainProcess] w1@box ready.\n" in lines
    assert f"Task {project.name}.add[{sent}] succeeded in" in lines


def test_a_failure_is_shown_in_a_line_or_with_its_traceback(project: Project) -> None:
    project.write(TASKS)
    with running(project):
        sent = project.umbel("call", f"{project.name}.fail").out.strip()
        done = project.umbel("result", sent, "--wait", "15")
        assert (done.code, done.out, done.err) == (1, "", "FAILURE: ValueError: it is broken\n")
        done = project.umbel("result", sent, "--traceback")
        assert done.code == 1
        assert 'raise ValueError("it is broken")' in done.err


def test_what_tasks_print_and_log_is_told_with_the_task(project: Project) -> None:
    project.write(TASKS)
    with running(project):
        sent = project.umbel("call", f"{project.name}.speak").out.strip()
        until(lambda: "succeeded" in read(project.folder / "w.log"))
    lines = read(project.folder / "w.log")
    assert f"] {project.name}.speak[{sent}]: printed\n" in lines
    assert f"] {project.name}.speak[{sent}]: logged\n" in lines


def test_each_process_writes_a_file_of_its_own_if_the_path_asks_for_it(project: Project) -> None:
    project.write(TASKS)
    process = project.start("worker", "-c", "1", "-n", "w1@box", "-l", "INFO", "-f", "%n%I.log")
    try:
        until(lambda: "w1@box ready." in read(project.folder / "w1.log"))
        project.umbel("call", f"{project.name}.speak")
        until(lambda: "succeeded" in read(project.folder / "w1.log"))
    finally:
        process.terminate()
        process.communicate(timeout=patience())
    assert "logged" not in read(project.folder / "w1.log")
    lines = read(project.folder / "w1-1.log").splitlines()
    assert [line.partition("WARNING/")[2].partition("]")[0] for line in lines] == ["Child-1", "Child-1"]


def test_log_file_and_pidfile_may_come_from_the_settings(project: Project) -> None:
    project.write(TASKS + "app.conf.update(worker_logfile='%n.log', worker_pidfile='%n.pid', worker_umask='077')\n")
    process = project.start("worker", "-c", "1", "-n", "w1", "-l", "INFO")
    try:
        until(lambda: "ready." in read(project.folder / "w1.log"))
        assert read(project.folder / "w1.pid") == f"{process.pid}\n"
        assert (project.folder / "w1.log").stat().st_mode & 0o777 == 0o600
    finally:
        process.terminate()
        process.communicate(timeout=patience())


def test_a_worker_in_the_background_tells_its_pid_and_holds_its_pidfile(project: Project) -> None:
    project.write(TASKS)
    words = ("worker", "-D", "-c", "1", "-n", "w1@box", "-f", "%n.log", "-l", "INFO", "--pidfile", "%n.pid")
    process = project.start(*words)
    out, err = process.communicate(timeout=patience())
    assert (process.returncode, err) == (0, "")
    pid = int(read(project.folder / "w1.pid"))
    try:
        assert out == f"worker w1@box runs in the background, pid {pid}\n"
        assert "w1@box ready." in read(project.folder / "w1.log")
        assert os.getsid(pid) != os.getsid(0)
        second = project.start(*words)
        out, err = second.communicate(timeout=patience())
        assert (second.returncode, out) == (73, "")
        assert f"belongs to process {pid}, which is running" in err
        assert err.count("\n") == 1
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not (project.folder / "w1.pid").exists())


@pytest.mark.parametrize("logfile", ["w1.log", None])
def test_what_tasks_of_a_worker_in_the_background_start_has_somewhere_to_write(project: Project, logfile: str | None) -> None:
    project.write(
        PROJECT
        + """
import os, subprocess

@app.task
def shell():
    done = subprocess.run(["sh", "-c", "ls /nonexistent; echo written"])
    return [done.returncode, *(os.readlink(f"/proc/self/fd/{number}") for number in (1, 2))]
"""
    )
    words = ("-f", logfile) if logfile else ("-q",)
    process = project.start("worker", "-D", "-c", "1", "--pidfile", "w1.pid", *words)
    out, err = process.communicate(timeout=patience())
    assert process.returncode == 0, out + err
    try:
        id = project.umbel("call", f"{project.name}.shell").out.strip()
        told = until(lambda: project.umbel("result", id).out.partition("[")[2])
        place = str(project.folder / logfile) if logfile else os.devnull
        assert told.replace("'", '"').startswith(f'0, "{place}", "{place}"]')
        assert not logfile or "/nonexistent" in until(lambda: read(project.folder / logfile))
    finally:
        os.kill(int(read(project.folder / "w1.pid")), signal.SIGTERM)
        until(lambda: not (project.folder / "w1.pid").exists())


def test_a_second_worker_in_the_terminal_with_the_same_pidfile_is_refused(project: Project) -> None:
    project.write(TASKS)
    with running(project, "--pidfile", "w.pid") as worker:
        assert read(project.folder / "w.pid") == f"{worker.pid}\n"
        code, out, err = ended(project, "--pidfile", "w.pid")
        assert (code, out) == (73, "")
        assert f"process {worker.pid}, which is running" in err
    assert not (project.folder / "w.pid").exists()


def test_what_keeps_a_worker_from_the_background_is_read_in_the_terminal(project: Project) -> None:
    project.write("import no_such_module_at_all\n")
    code, out, err = ended(project, "-D", "-f", "w.log", "--pidfile", "w.pid")
    assert (code, out) == (1, "")
    assert "No module named 'no_such_module_at_all'" in err
    assert not (project.folder / "w.pid").exists()


@pytest.mark.parametrize("detach", [(), ("-D", "-f", "w.log")])
def test_a_broker_that_cannot_work_is_one_line(project: Project, detach: tuple[str, ...]) -> None:
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    code, _, err = ended(project, *detach)
    assert code == 1
    assert err.startswith("umbel: ")
    assert "q.db" in err
    assert err.count("\n") == 1


def test_a_log_file_that_cannot_be_written_is_one_line(project: Project) -> None:
    code, _, err = ended(project, "-f", "nowhere/w.log")
    assert code == 1
    assert err == f"umbel: {project.folder}/nowhere/w.log: No such file or directory\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-c", "0"), "'0' is no number from 1, nor auto"),
        (("-c", "many"), "'many' is no number from 1, nor auto"),
        (("-l", "loud"), "'loud' is no log level"),
        (("-P", "gevent"), "'gevent' is no pool of umbel's; take threads (for what waits), or asyncio"),
        (("--umask", "9"), "'9' is no octal number"),
        (("--time-limit", "0"), "--time-limit"),
        (("--time-limit", "nan"), "'nan' is no number of seconds"),
        (("--heartbeat-interval", "inf"), "'inf' is no number of seconds"),
        (("--nosuch",), "no such option"),
    ],
)
def test_an_option_that_cannot_work_is_one_line(project: Project, words: tuple[str, ...], told: str) -> None:
    done = project.umbel("worker", *words)
    assert done.code == 64
    assert done.out == ""
    assert told in done.err
    assert done.err.count("\n") == 1


def test_queues_that_cannot_be_are_not_served(project: Project) -> None:
    done = project.umbel("worker", "-Q", "mail,umbel.queues")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "a queue to serve = 'umbel.queues' is umbel's own" in done.err


def test_a_worker_needs_an_app(project: Project) -> None:
    done = project.bare("worker")
    assert done.code == 64
    assert done.err == "umbel: which app? Name it with -A (umbel -A proj worker) or in UMBEL_APP\n"


def test_options_of_celery_that_change_nothing_are_told_and_taken(project: Project) -> None:
    words = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-E", "-O", "fair")
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    _, _, err = ended(project, *words)
    told = [line.partition(" has no effect: ")[0] for line in err.splitlines()[:-1]]
    names = ["without-gossip", "without-mingle"]
    assert told == [f"umbel: --{name}" for name in names]


@pytest.mark.parametrize("variable", ["UMBEL_WORKER_CONCURRENCY", "CELERY_WORKER_CONCURRENCY"])
def test_options_may_come_from_the_environment(project: Project, variable: str) -> None:
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    process = project.start("worker", env=os.environ | {variable: "7"})
    out, _ = process.communicate(timeout=patience())
    assert "prefork, 7 at once" in out


def test_it_serves_the_queues_it_is_told_to(project: Project) -> None:
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    assert "queues    mail, images\n" in ended(project, "-Q", "mail, celery,images", "-X", "celery")[1]


def test_quiet_shows_no_banner(project: Project) -> None:
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    assert ended(project, "-q")[1] == ""


def test_root_takes_no_pickle_unless_told_so(project: Project) -> None:
    project.write("from umbel import Umbel\napp = Umbel('proj', broker='sqlite:///q.db', accept_content=['json', 'pickle'])\n")
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    refused = "takes no pickle" in ended(project)[2]
    forced = "takes no pickle" in ended(project, env=os.environ | {"C_FORCE_ROOT": "1"})[2]
    assert (refused, forced) == (os.geteuid() == 0, False)


def test_a_receiver_of_setup_logging_does_it_all(project: Project) -> None:
    project.write(
        TASKS
        + "from umbel.signals import setup_logging\n"
        + "@setup_logging.connect\n"
        + "def mine(loglevel, logfile, **rest):\n"
        + "    import logging\n"
        + "    logging.basicConfig(filename=logfile, level=loglevel, format='mine: %(message)s')\n"
    )
    with running(project):
        assert "mine: w1@box ready.\n" in read(project.folder / "w.log")


def test_the_pools_offered_are_those_there_are() -> None:
    assert set(OFFERED) == set(POOLS)
