"""What tasks start: processes of other programs, pools of `multiprocessing`, copies of themselves; and what becomes of them."""

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
POOLS = ("prefork", "threads", "asyncio", "solo")

TASKS = """
import multiprocessing, subprocess
from multiprocessing import util

def double(number):
    return 2 * number

@app.task
def spread(count):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(double, range(count)))

@app.task
def spread_with_futures(count):
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        return sum(pool.map(double, range(count)))

@app.task
def split():
    pid = os.fork()
    tell("split", os.getpid())
    return pid

@app.task
async def asplit():
    pid = os.fork()
    tell("split", os.getpid())
    await asyncio.sleep(0.05)
    tell("behind", os.getpid())
    return pid

@app.task
def number(which):
    tell("number", which)
    return which

@app.task
def run_program(seconds):
    tell("began")
    done = subprocess.run([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    return done.returncode

@app.task
def facts():
    signals = [signal.getsignal(number) == signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)]
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        signals = [signal.getsignal(number) == signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)]
        os.write(writing, bytes(signals))
        os._exit(0)
    os.waitpid(pid, 0)
    return [*os.read(reading, 10)], multiprocessing.current_process().pid == os.getpid()

@app.task
def leave_a_process():
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True)
    process.start()
    util.Finalize(None, tell, ("cleaned", os.getpid()), exitpriority=1)
    return process.pid
"""


@pytest.mark.parametrize("pool", POOLS)
def test_a_task_may_use_a_pool_of_processes(project: Make, pool: str) -> None:
    made = project(TASKS)
    with made.worker("-c", "2", "-P", pool) as worker:
        for name in ("spread", "spread_with_futures"):
            sent = [made.app.send_task(f"proj.{name}", (10,)) for _ in range(3)]
            assert [each.get(timeout=patience()) for each in sent] == [90] * 3, worker.log
        assert worker.process.poll() is None
        assert "stop" not in worker.log
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0


@pytest.mark.parametrize("pool", POOLS)
def test_the_copy_that_a_task_forks_does_not_work_on(project: Make, pool: str) -> None:
    made = project(TASKS)
    with made.worker("-c", "1", "-P", pool) as worker:
        names = ["split", "asplit"]
        pids = [made.app.send_task(f"proj.{name}").get(timeout=patience()) for name in names]
        assert all(pid > 0 for pid in pids), "the copy has told its own end"
        sent = [made.app.send_task("proj.number", (n,)) for n in range(100)]
        assert [each.get(timeout=patience()) for each in sent] == list(range(100)), worker.log
        until(lambda: not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids))
        assert len([line for line in made.effects() if line[0] == "number"]) == 100
        assert len([line for line in made.effects() if line[0] == "split"]) == 4
        assert worker.process.poll() is None
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0


@pytest.mark.parametrize("pool", POOLS)
def test_what_tasks_fork_has_the_signals_of_any_program(project: Make, pool: str) -> None:
    made = project(TASKS)
    with made.worker("-c", "1", "-P", pool):
        assert made.app.send_task("proj.facts").get(timeout=patience()) == [[1, 1, 1], True]


def test_ctrl_c_in_the_terminal_does_not_reach_what_tasks_have_started(project: Make) -> None:
    made = project(TASKS)
    sent = made.app.send_task("proj.run_program", (1,))
    logfile = made.folder / "w.log"
    with logfile.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "umbel", "-A", "proj", "worker", "-c", "1", "-l", "INFO"],
            cwd=made.folder, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    worker = Worker(process, logfile)
    try:
        until(made.effects)
        os.killpg(process.pid, signal.SIGINT)
        assert worker.wait() == 0
        assert sent.get(timeout=patience()) == 0
    finally:
        worker.kill_all()


def test_a_child_ends_what_its_tasks_left_to_multiprocessing(project: Make) -> None:
    made = project(TASKS)
    with made.worker("-c", "1", "--max-tasks-per-child", "1") as worker:
        pid = made.app.send_task("proj.leave_a_process").get(timeout=patience())
        until(lambda: not psutil.pid_exists(pid), saying=lambda: worker.log)
        until(lambda: any(line[0] == "cleaned" for line in made.effects()))
        assert "does not end" not in worker.log


def test_what_tasks_print_in_the_background_goes_to_the_log(project: Make) -> None:
    """Not into the pipe through which the worker told the terminal that it was ready: nobody reads that any more."""
    made = project("""
        @app.task
        def shout():
            return os.system("echo shouted; echo shouted >&2; sleep 0.1; echo shouted >&2")
        """)
    command = [sys.executable, "-m", "umbel", "-A", "proj", "worker", "-c", "1", "-D", "-f", "w.log", "--pidfile", "w.pid"]
    subprocess.run(command, cwd=made.folder, check=True, capture_output=True)
    pid = int((made.folder / "w.pid").read_text())
    try:
        assert made.app.send_task("proj.shout").get(timeout=patience()) == 0
        assert (made.folder / "w.log").read_text().count("shouted") == 3
        os.kill(pid, signal.SIGTERM)
        until(lambda: not (made.folder / "w.pid").exists())
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
