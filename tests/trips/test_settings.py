"""Settings and options that decide what becomes of a run that ends badly, and which queue a worker serves: on one worker."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from tests.trips.project import Project

from umbel.errors import TimeLimitExceeded, WorkerLostError
from umbel.testing.waiting import patience, until

Make = Callable[..., Project]

TASKS = """
from umbel import Task

app.conf.update(worker_direct=True, broker_heartbeat=0, REDBEAT_LOCK_KEY="x", task_default_retry_delay=0)

def die(self):
    tell(self.name, self.request.retries)
    os.kill(os.getpid(), signal.SIGKILL)

early = app.task(bind=True, name="early", retry_on_worker_lost=True, max_retries=2, default_retry_delay=0, acks_late=False)(die)
late = app.task(bind=True, name="late", retry_on_worker_lost=True, max_retries=1, default_retry_delay=0,
                reject_on_worker_lost=False)(die)

@app.task(name="fail.buried", acks_on_failure=False)
def fail_buried(): raise ValueError("no")

@app.task(name="fail.acked", acks_on_failure_or_timeout=False, acks_on_failure=True)
def fail_acked(): raise ValueError("no")

@app.task(name="slow.buried", acks_on_timeout=False, time_limit=0.2)
def slow_buried(): time.sleep(60)

@app.task(name="slow.acked", acks_on_failure=False, acks_on_timeout=True, time_limit=0.2)
def slow_acked(): time.sleep(60)

@app.task(name="where", bind=True)
def where(self): return self.request.delivery_info["routing_key"]
"""


def test_what_settings_say_of_the_end_of_a_run_is_done(project: Make) -> None:
    made = project(TASKS)
    send = made.app.send_task
    with made.worker("-c", "2") as worker:
        for name, runs in (("early", 3), ("late", 2)):
            with pytest.raises(WorkerLostError):
                send(name).get(timeout=patience())
            assert [words for words in made.effects() if words[0] == name] == [[name, str(n)] for n in range(runs)]
        for name, error in (("fail", ValueError), ("slow", TimeLimitExceeded)):
            for end in ("buried", "acked"):
                with pytest.raises(error):
                    send(f"{name}.{end}").get(timeout=patience())
        until(lambda: not made.app.broker.depth(["celery"])["celery"].held)
        assert sorted(b"fail.buried" in each.envelope.headers for each in made.app.broker.buried()) == [False, True]
        assert [each.reason for each in made.app.broker.buried() if b"slow.buried" in each.envelope.headers]
        assert send("where", queue="w1@host.dq").get(timeout=patience()) == "w1@host.dq"
        assert "broker_heartbeat (app.conf) changes nothing: only RabbitMQ has a use for it" in worker.log
        assert worker.log.count("changes nothing") == 1
        # Two in one moment, as from whoever sends them to all processes of a group, and to the worker as well.
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            worker.signal(number)
        assert worker.wait() == 0
        assert "Cold stop" not in worker.log
