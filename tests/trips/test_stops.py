"""How workers stop: warm, cold, in time, and when their processes keep dying."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
from tests.servers.redis import running
from tests.trips.project import Project

from umbel.errors import WorkerLostError
from umbel.testing.waiting import pace, patience, until

Make = Callable[..., Project]

SLOW = """
@app.task
def slow(seconds):
    tell("began")
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(0.01)
    tell("ended")
    return "finished"
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_warm_stop_finishes_what_runs_and_gives_back_the_rest(project: Make, how: signal.Signals) -> None:
    made = project(SLOW)
    running = made.app.send_task("proj.slow", (1.0,))
    with made.worker("-c", "1") as worker:
        until(made.effects)
        rest = [made.app.send_task("proj.slow", (0,)) for _ in range(5)]
        worker.signal(how)
        assert worker.wait() == 0
    assert running.get(timeout=patience()) == "finished"
    depth = made.app.broker.depth(["celery"])["celery"]
    assert (depth.ready, depth.held) == (5, 0)
    with made.worker("-c", "1"):
        assert [result.get(timeout=patience()) for result in rest] == ["finished"] * 5


@pytest.mark.parametrize("on_redis", [False, True])
def test_stops_in_the_middle_of_many_lose_and_repeat_nothing(project: Make, tmp_path: Path, on_redis: bool) -> None:
    """What was fetched is more than what runs: a batch that is judged, and one that is on its way."""
    count = 20_000
    with running(tmp_path / "server") if on_redis else nullcontext() as server:
        made = project("@app.task\ndef mark(number): tell(number)", store=server and f"redis://127.0.0.1:{server.port}/0")
        broker = made.app.broker
        with made.app.batch():
            for number in range(count):
                made.app.send_task("proj.mark", (number,))
        for part in range(1, 4):
            with made.worker("-c", "2") as worker:
                until(lambda part=part: len(made.effects()) > count * part // 8)
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
            depth = broker.depth(["celery"])["celery"]
            assert (depth.ready, depth.held) == (count - len(made.effects()), 0)
        made.app.send_task("proj.mark", (count,))  # behind what is left: if this machine stood still, that may be nothing
        (delivery,) = broker.reserve(["celery"], 1, 1.0)
        assert delivery.attempt == 1
        broker.release([delivery])
        with made.worker("-c", "2"):
            until(lambda: len(made.effects()) > count)
            until(lambda: broker.depth(["celery"])["celery"].held == 0)
        assert sorted(int(number) for (number,) in made.effects()) == list(range(count + 1))
        made.app.close()


def test_a_worker_that_was_taken_for_dead_stops_what_it_had_kept_for_later(project: Make) -> None:
    tasks = """
    app.conf.worker_disable_rate_limits = "UNLIMITED" in os.environ

    @app.task(rate_limit="1/m")
    def mark(number): tell(number)
    """
    made = project(tasks, lease=0.5)
    with made.worker("-c", "1") as sleeper:
        for number in range(5):
            made.app.send_task("proj.mark", (number,))
        until(lambda: made.app.broker.depth(["celery"])["celery"].held == 4 and made.effects())
        for pid in sleeper.family():
            os.kill(pid, signal.SIGSTOP)
        with made.worker("-c", "1", env={"UNLIMITED": "1"}):
            until(lambda: len(made.effects()) == 5)
        for pid in sleeper.family():
            os.kill(pid, signal.SIGCONT)
        until(lambda: "4 messages could not be given back" in sleeper.log, saying=lambda: sleeper.log)
        assert "taken for dead" in sleeper.log
    assert sorted(made.effects()) == [[str(number)] for number in range(5)]


def test_a_second_signal_gives_back_at_once_what_runs(project: Make) -> None:
    made = project(SLOW)
    made.app.send_task("proj.slow", (60,))
    with made.worker("-c", "1") as worker:
        until(made.effects)
        worker.signal(signal.SIGTERM)
        until(lambda: "Warm stop" in worker.log)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 1
    depth = made.app.broker.depth(["celery"])["celery"]
    assert (depth.ready, depth.held) == (1, 0)
    (delivery,) = made.app.broker.reserve(["celery"], 1, 1.0)
    assert delivery.attempt == 1


def test_an_early_task_that_a_cold_stop_ends_is_told_as_lost(project: Make) -> None:
    made = project(SLOW.replace("@app.task", "@app.task(acks_late=False)"))
    sent = made.app.send_task("proj.slow", (60,))
    with made.worker("-c", "1") as worker:
        until(made.effects)
        worker.signal(signal.SIGQUIT)
        assert worker.wait() == 1
    with pytest.raises(WorkerLostError):
        sent.get(timeout=patience())
    assert made.effects() == [["began"]]


def test_a_warm_stop_has_a_limit_after_which_work_goes_back(project: Make) -> None:
    made = project("app.conf.worker_warm_stop_timeout = 0.3\n" + SLOW)
    made.app.send_task("proj.slow", (60,))
    with made.worker("-c", "1") as worker:
        until(made.effects)
        began = pace()
        worker.signal(signal.SIGTERM)
        worker.wait()
        assert pace() - began < 8
    assert made.app.broker.depth(["celery"])["celery"].ready == 1


def test_a_stopped_worker_leaves_no_process_behind(project: Make) -> None:
    made = project(SLOW)
    with made.worker("-c", "2") as worker:
        family = worker.family()
        assert len(family) >= 3
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        until(lambda: not any(psutil.pid_exists(pid) for pid in family))


def test_a_killed_worker_leaves_no_process_behind(project: Make) -> None:
    made = project(SLOW)
    made.app.send_task("proj.slow", (60,))
    with made.worker("-c", "2") as worker:
        until(made.effects)
        family = worker.family()
        worker.signal(signal.SIGKILL)
        worker.wait()
        until(lambda: not any(psutil.pid_exists(pid) for pid in family))


def test_processes_that_keep_dying_stop_the_worker_with_the_reason(project: Make) -> None:
    made = project(
        f"""
        from umbel.pools import storm
        from umbel.signals import worker_process_init

        storm.PERIOD = {patience()}  # a busy machine may take its time to start and to bury eleven children

        @worker_process_init.connect
        def die(**kwargs):
            os._exit(3)
        """
    )
    worker = made.start("-c", "2")
    try:
        assert worker.wait() != 0
        assert "cannot go on" in worker.log
    finally:
        worker.kill_all()


def test_recycling_by_count_loses_nothing(project: Make) -> None:
    made = project(
        """
        @app.task
        def who():
            tell("ran")
            return os.getpid()
        """
    )
    with made.worker("-c", "2", "--max-tasks-per-child", "5"):
        with made.app.batch():
            sent = [made.app.send_task("proj.who") for _ in range(60)]
        pids = [result.get(timeout=patience()) for result in sent]
    assert len(made.effects()) == 60
    assert max(pids.count(pid) for pid in pids) <= 5


def test_recycling_by_memory_replaces_the_process(project: Make) -> None:
    made = project(
        """
        hoard = []

        @app.task
        def eat(megabytes):
            hoard.append(bytearray(megabytes << 20))
            return os.getpid()
        """
    )
    with made.worker("-c", "1", "--max-memory-per-child", "150000"):
        first = made.app.send_task("proj.eat", (200,)).get(timeout=patience())
        second = made.app.send_task("proj.eat", (1,)).get(timeout=patience())
        assert first != second
