"""A task's own class of requests is told what becomes of its calls, in the worker's process, as Celery tells it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.face.test_app import run

CODE = """
    import json, time, warnings
    from celery import Celery, Task
    from celery.contrib.testing.worker import start_worker
    from celery.exceptions import SoftTimeLimitExceeded
    from celery.worker.request import Request

    app = Celery("proj", broker="memory://", backend="cache+memory://")
    told = []

    class MyRequest(Request):
        def on_accepted(self, pid, time_accepted):
            told.append(["accepted", self.task_name, pid > 0])
            super().on_accepted(pid, time_accepted)
        def on_success(self, failed__retval__runtime, **kwargs):
            failed, retval, runtime = failed__retval__runtime
            told.append(["success", self.task_name, failed, retval, runtime >= 0, list(self.args)])
            super().on_success(failed__retval__runtime, **kwargs)
        def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
            told.append(["failure", self.task_name, repr(exc_info.exception), "Traceback" in exc_info.traceback])
            super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        def on_retry(self, exc_info):
            told.append(["retry", self.task_name])
            super().on_retry(exc_info)
        def on_timeout(self, soft, timeout):
            told.append(["timeout", self.task_name, soft, timeout])
            super().on_timeout(soft, timeout)
            1 / 0  # what it raises changes nothing

    class MyTask(Task):
        Request = MyRequest

    @app.task(base=MyTask, name="add")
    def add(x, y): return x + y
    @app.task(base=MyTask, name="fail")
    def fail(): raise ValueError("no")
    @app.task(base=MyTask, name="again", bind=True, max_retries=1, default_retry_delay=0)
    def again(self): raise self.retry(exc=KeyError("x"))
    @app.task(base=MyTask, name="slow", soft_time_limit=0.1)
    def slow():
        try:
            while True: time.sleep(0.01)
        except SoftTimeLimitExceeded:
            raise
    @app.task(name="plain")
    def plain(): return 1

    with start_worker(app, perform_ping_check=False, pool="threads"):
        for task, args in ((add, (1, 2)), (fail, ()), (again, ()), (slow, ()), (plain, ())):
            task.delay(*args).get(timeout=60, propagate=False)
    print(json.dumps(told))
"""


def test_what_becomes_of_a_call_is_told_to_its_request(face: Path, tmp_path: Path) -> None:
    told = json.loads(run(face, tmp_path, CODE).splitlines()[-1])
    told = [each for each in told if each[0] != "accepted"]
    assert told == [
        ["success", "add", False, 3, True, [1, 2]],
        ["failure", "fail", "ValueError('no')", True],
        ["retry", "again"],
        ["failure", "again", "KeyError('x')", True],
        ["timeout", "slow", True, 0.1],
        ["failure", "slow", "SoftTimeLimitExceeded()", True],
    ]


EVENTS = """
    from celery import Celery, Task
    from celery.contrib.testing.worker import start_worker
    from celery.worker.request import Request
    from umbel.testing.waiting import patience

    app = Celery("proj", broker="memory://", backend="cache+memory://")

    class MyRequest(Request):
        def on_success(self, failed__retval__runtime, **kwargs):
            self.send_event("task-own", retval=failed__retval__runtime[1])

    class MyTask(Task):
        Request = MyRequest

    @app.task(base=MyTask, name="add")
    def add(x, y): return x + y
    @app.task(base=MyTask, name="secret", send_events=False)
    def secret(): return 1

    events = []
    with app.connection() as connection, start_worker(app, perform_ping_check=False, pool="threads") as worker:
        receiver = app.events.Receiver(connection, handlers={"task-own": events.append})
        receiver._listener.open()
        for on in (False, True):
            app.control.broadcast("enable_events" if on else "disable_events", reply=True, timeout=patience())
            for task in (secret, add):
                result = task.delay(*[1, 2][:2 if task is add else 0])
                result.get(timeout=patience())
        for event in receiver.itercapture(timeout=patience(), wakeup=False):
            if events:
                break
    (event,) = events
    print(event["uuid"] == result.id, event["hostname"] == worker.hostname, event["retval"])
"""


def test_a_request_sends_events_of_its_own_while_its_worker_tells_of_tasks(face: Path, tmp_path: Path) -> None:
    assert run(face, tmp_path, EVENTS).splitlines()[-1] == "True True 3"


SELECTED = """
    from celery import Celery
    app = Celery("proj", broker="memory://")
    app.conf.task_queues = {"mail": {}, "slow": {}}
    print(app.queues())
    app.select_queues(["mail"])
    print(app.queues())
    app.amqp.queues.deselect("mail")
    print(app.queues())
"""


def test_queues_that_a_program_selects_are_those_of_its_worker(face: Path, tmp_path: Path) -> None:
    assert run(face, tmp_path, SELECTED).splitlines() == ["['mail', 'slow']", "['mail']", "[]"]
