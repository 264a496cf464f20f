from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.cli.project import Project
from tests.cli.test_worker import read

from umbel.testing.waiting import patience, until

CODE = """
from umbel import Umbel
from umbel.beat import PersistentScheduler, Scheduler

app = Umbel("proj", broker="sqlite:///q.db", timezone="Europe/Paris")


@app.periodic(0.2, name="often")
@app.task(name="add")
def add():
    return 5


class Own(Scheduler):
    def setup_schedule(self):
        self.update_from_dict({"own": {"task": "add", "schedule": 0.2, "options": {"queue": "own"}}})


class Kept(PersistentScheduler):
    pass
"""


@contextmanager
def beating(project: Project, *options: str, code: str = CODE, **kwargs: object) -> Iterator[subprocess.Popen[str]]:
    """A beat that leads; stopped at the end, if it still runs."""
    project.write(code)
    log = project.folder / "b.log"
    process = project.start("beat", "-l", "INFO", "-f", str(log), *options, **kwargs)
    try:
        until(lambda: "this one leads now" in read(log) or process.poll() is not None)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=patience())


def sent(project: Project, queue: str = "celery") -> int:
    broker = project.broker()
    try:
        return broker.depth([queue])[queue].ready
    finally:
        broker.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_sends_until_it_is_told_to_stop(project: Project, number: signal.Signals) -> None:
    env = {**os.environ, "COLUMNS": "200"}  # or long folders of temporary files would take two lines
    with beating(project, env=env) as beat:
        until(lambda: sent(project) >= 2)
        beat.send_signal(number)
        out, err = beat.communicate(timeout=patience())
    assert (beat.returncode, err) == (0, "")
    for label, value in {
        "app": f"{project.name}, names 1 entry",
        "broker": f"sqlite:///{project.folder}/q.db",
        "schedule": "in the broker's store",
        "zone": "Europe/Paris",
    }.items():
        assert f"{label:<10}{value}\n" in out
    lines = read(project.folder / "b.log")
    assert "INFO/MainProcess] beat: Starting...\n" in lines
    assert "INFO/MainProcess] Scheduler: Sending due task often (add)\n" in lines
    assert lines.endswith("INFO/MainProcess] beat: Shutting down...\n")


def test_who_stops_in_order_lets_another_lead_at_once(project: Project) -> None:
    with beating(project) as beat:
        beat.terminate()
        beat.wait(patience())
        assert "no beat runs, so nothing is sent" in project.umbel("schedule").out


def test_it_needs_an_app(project: Project) -> None:
    done = project.bare("beat")
    assert (done.code, done.err) == (64, "umbel: which app? Name it with -A (umbel -A proj beat) or in UMBEL_APP\n")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("-S", "nowhere:Class"), 1, "beat_scheduler 'nowhere:Class' cannot be imported"),
        (("-S", "unheard"), 1, "beat_scheduler 'unheard': nothing of that name is installed"),
        (("-S", "os:path"), 1, "is no class of schedulers"),
        (("--max-interval", "0"), 64, "'0' is no number of seconds, more than 0"),
        (("--max-interval", "nan"), 64, "'nan' is no number of seconds, more than 0"),
        (("--umask", "7777"), 64, "'7777' is no octal number such as 022"),
        (("--pidfile", "/nowhere/b.pid"), 1, "/nowhere/b.pid: No such file or directory"),
        (("-f", "/nowhere/b.log"), 1, "/nowhere/b.log: No such file or directory"),
        (("--uid", "no.such.user"), 1, "(--uid)" if os.geteuid() == 0 else "need root"),
        (("--uid", "99999999999"), 1, "number is too large" if os.geteuid() == 0 else "need root"),
        (("-l", "loud"), 64, "'loud' is no log level"),
        (("-s", "mysql://x"), 1, "umbel has no schedule store for mysql://"),
    ],
)
def test_what_cannot_work_is_one_line(project: Project, words: tuple[str, ...], code: int, told: str) -> None:
    done = project.umbel("beat", *words)
    assert done.code == code
    assert told in done.err
    assert done.err.count("\n") == 1


def test_options_of_celery_that_change_nothing_are_told_and_taken(project: Project) -> None:
    words = ("-s", "celerybeat-schedule", "--executable", sys.executable)
    with beating(project, *words) as beat:
        beat.terminate()
        _, err = beat.communicate(timeout=patience())
    assert err.splitlines() == [
        f"umbel: --schedule celerybeat-schedule has no effect: the schedule is kept in sqlite:///{project.folder}/q.db",
        "umbel: --executable has no effect: it runs with the Python that umbel was started with",
    ]


def test_it_answers_pings_if_asked_to(project: Project) -> None:
    with beating(project, "--enable-remote-control", "-n", "sends@here"):
        until(lambda: project.umbel("inspect", "ping").out == "sends@here: pong\n")
        assert "sends@here answers ping, and nothing else" in project.umbel("status").out
        done = project.umbel("inspect", "active")
        assert (done.code, done.out) == (69, "")


def test_the_settings_let_it_answer_pings_unless_it_is_told_otherwise(project: Project) -> None:
    settings = CODE + "app.conf.beat_enable_remote_control = True\n"
    for words, told in (((), True), (("--no-enable-remote-control",), False)):
        with beating(project, *words, code=settings):
            log = project.folder / "b.log"
            until(lambda log=log: "this one leads now" in read(log))
            if told:
                until(lambda log=log: "answers pings as beat@" in read(log))
            assert told is (project.umbel("inspect", "ping").code == 0)
        log.unlink()


def test_a_store_in_memory_reaches_no_worker_and_that_is_told(project: Project) -> None:
    project.write(CODE.replace("sqlite:///q.db", "memory://"))
    beat = project.start("beat")
    try:
        assert beat.stderr is not None
        assert beat.stderr.readline() == (
            "umbel: memory:// is in this process alone, so nobody gets what it sends; `umbel worker -B` sends and works\n"
        )
    finally:
        beat.terminate()
        beat.communicate(timeout=patience())


def test_the_schedule_may_be_kept_elsewhere(project: Project) -> None:
    with beating(project, "-s", "sqlite:///elsewhere.db"):
        until(lambda: sent(project) >= 1)
    assert (project.folder / "elsewhere.db").exists()
    assert "nothing is scheduled" in project.umbel("schedule").out


def test_it_runs_in_the_background_with_a_pidfile(project: Project) -> None:
    project.write(CODE)
    pidfile = project.folder / "b.pid"
    started = project.start("beat", "-D", "--pidfile", str(pidfile), "-f", "b.log", "-l", "INFO")
    out, err = started.communicate(timeout=patience())
    assert (started.returncode, err) == (0, "")
    pid = int(pidfile.read_text())
    try:
        assert out == f"beat runs in the background, pid {pid}\n"
        again = project.start("beat", "--pidfile", str(pidfile))
        _, err = again.communicate(timeout=patience())
        assert again.returncode == 73
        assert f"belongs to process {pid}, which is running" in err
        until(lambda: sent(project) >= 1)
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not pidfile.exists())


def test_a_scheduler_of_ones_own_sends_instead(project: Project) -> None:
    with beating(project, "-S", f"{project.name}:Own") as beat:
        until(lambda: sent(project, "own") >= 2)
        beat.terminate()
        out, _ = beat.communicate(timeout=patience())
    assert f"sent by   {project.name}.Own" in out
    assert sent(project) == 0


def test_a_scheduler_that_derives_from_celerys_default_keeps_when_it_ran(project: Project) -> None:
    with beating(project, "-S", f"{project.name}.Kept"):
        until(lambda: sent(project) >= 2)
    found = project.umbel("schedule").out
    assert f"{sent(project)}\n" in found.split("often")[1]


def test_a_worker_may_send_too(project: Project) -> None:
    project.write(CODE)
    log = project.folder / "w.log"
    worker = project.start("worker", "-B", "-c", "1", "-l", "INFO", "-f", str(log), "-n", "w1@box")
    try:
        until(lambda: read(log).count("Task add[") >= 6)  # received and succeeded
        assert "sent by" in project.umbel("schedule").out
        worker.terminate()
        _, err = worker.communicate(timeout=patience())
    finally:
        worker.kill()
    assert (worker.returncode, err) == (0, "")
    lines = read(log)
    assert "beat: Starting..." in lines
    assert lines.index("beat: Shutting down...") > lines.index("Scheduler: Sending due task often (add)")
    assert "no beat runs" in project.umbel("schedule").out


def test_of_two_workers_with_a_beat_one_sends(project: Project) -> None:
    project.write(CODE)
    logs = [project.folder / f"w{number}.log" for number in range(2)]
    workers = [
        project.start("worker", "-B", "-c", "1", "-Q", "nothing", "-l", "INFO", "-f", str(log), "-n", f"{log.stem}@box")
        for log in logs
    ]
    try:
        until(lambda: all("beat: Starting" in read(log) for log in logs) and sent(project) >= 3)
        leads = ["this one leads now" in read(log) for log in logs]
        assert sorted(leads) == [False, True]
        leader = leads.index(True)
        workers[leader].kill()
        until(lambda: "this one leads now" in read(logs[1 - leader]))
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate(timeout=patience())
