from __future__ import annotations

import json
import time

from tests.cli.project import Project

from umbel import Umbel
from umbel.stores.url import open_broker


def dead_worker(project: Project, *, starts: bool, times: int = 1) -> None:
    """Let an owner reserve what there is and be taken for dead, so often."""
    for turn in range(times):
        broker = open_broker(f"sqlite:///{project.folder}/q.db", lease=0.05, max_deliveries=times)
        held = broker.reserve(["celery"], 10, 5.0)
        if starts:
            broker.started(held)
        time.sleep(0.1)  # the lease ends by the store's clock; nothing tells when
        if turn < times - 1:
            other = open_broker(f"sqlite:///{project.folder}/q.db", lease=30.0, max_deliveries=times)
            other.recover()
            other.close()


def test_nothing_to_do_is_told(project: Project) -> None:
    done = project.umbel("recover")
    assert (done.code, done.out) == (0, "gave back 0 tasks; told 0 tasks as lost, 0 of them are dead now\n")


def test_what_a_dead_worker_held_is_ready_again(project: Project) -> None:
    project.send("proj.add", "proj.add")
    dead_worker(project, starts=False)
    done = project.umbel("recover")
    assert done.out == "gave back 2 tasks; told 0 tasks as lost, 0 of them are dead now\n"
    broker = project.broker()
    assert broker.depth(["celery"])["celery"].ready == 2
    broker.close()


def test_what_must_not_run_again_is_told_as_lost(project: Project) -> None:
    ids = project.send("proj.add")
    dead_worker(project, starts=True)
    done = project.umbel("recover")
    assert done.out == "gave back 0 tasks; told 1 task as lost, 0 of them are dead now\n"
    shown = project.umbel("result", ids[0])
    assert shown.code == 1
    assert shown.err.startswith("FAILURE: WorkerLostError: Worker exited prematurely: its worker died")
    assert json.loads(project.umbel("queues", "-j").out)["celery"] | {"oldest": None} == dict.fromkeys(
        ("ready", "held", "later", "dead"), 0
    ) | {"oldest": None}


def test_what_was_handed_out_too_often_is_buried_and_told(project: Project) -> None:
    project.write("from umbel import Umbel\napp = Umbel('proj', broker='sqlite:///q.db', task_max_deliveries=2)\n")
    ids = project.send("proj.add")
    dead_worker(project, starts=False, times=2)
    done = project.umbel("recover")
    assert done.out == "gave back 0 tasks; told 1 task as lost, 1 of them are dead now\n"
    assert "never finished, though handed out 2 times" in project.umbel("dead", "list").out
    assert project.umbel("result", ids[0]).code == 1


def test_a_lost_task_is_told_to_its_hooks_and_errbacks(project: Project) -> None:
    project.write(
        """
from umbel import Umbel
app = Umbel("proj", broker="sqlite:///q.db", task_acks_late=False)

@app.task(name="proj.mourn")
def mourn(id):
    pass

@app.task(name="proj.add", on_failure=lambda self, error, id, args, kwargs, info: print("hook:", type(error).__name__))
def add():
    pass
"""
    )
    app = Umbel("sender", broker=f"sqlite:///{project.folder}/q.db", set_as_current=False)
    app.send_task("proj.add", link_error=app.signature("proj.mourn"))
    app.close()
    dead_worker(project, starts=True)
    assert "hook: WorkerLostError" in project.umbel("recover").out
    broker = project.broker()
    assert broker.depth(["celery"])["celery"].ready == 1
    broker.close()


def test_a_revoked_task_of_a_dead_worker_goes_back_to_be_told_as_revoked(project: Project) -> None:
    ids = project.send("proj.add")
    dead_worker(project, starts=True)
    project.umbel("revoke", ids[0])
    assert project.umbel("recover").out == "gave back 1 task; told 0 tasks as lost, 0 of them are dead now\n"
