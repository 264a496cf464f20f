"""The commands beside the trip: list, migrate, graph, logtool, upgrade, amqp."""

from __future__ import annotations

import json

import pytest
from tests.cli.project import PROJECT, Project

from umbel.stores.url import open_broker
from umbel.testing.waiting import patience

LOG = """\
something before
[2026-01-02 03:04:05,678: INFO/MainProcess] Task shop.nap[a] received
[2026-01-02 03:04:05,679: INFO/MainProcess] Task shop.add[b] received
[2026-01-02 03:04:05,680: INFO/MainProcess] Task shop.add[c] received
[2026-01-02 03:04:06,680: INFO/ForkPoolWorker-1] Task shop.nap[a] succeeded in 1.0s: None
[2026-01-02 03:04:07,680: ERROR/ForkPoolWorker-2] Task shop.add[b] raised unexpected: ValueError('x')
Traceback (most recent call last):
  File "shop.py", line 3, in add
ValueError: x
[2026-01-02 03:04:08,680: DEBUG/MainProcess] of no interest
"""


def test_queues_are_listed_with_what_leads_to_them(project: Project) -> None:
    project.write(PROJECT + "\napp.conf.task_queues = {'mail': {'exchange': 'post', 'routing_key': 'mail.#'}, 'celery': {}}\n")
    rows = [line.split() for line in project.umbel("list", "bindings").out.splitlines()]
    assert rows == [["queue", "exchange", "routing", "key"], ["mail", "post", "mail.#"], ["celery", "celery", "celery"]]
    assert json.loads(project.umbel("list", "bindings", "--json").out)[0]["exchange"] == "post"


def test_a_file_that_is_no_text_is_told(project: Project) -> None:
    (project.folder / "odd.py").write_bytes(b"\xff")
    done = project.bare("upgrade", "settings", "odd.py")
    assert (done.code, done.err) == (1, "umbel: odd.py is no text in UTF-8\n")


def test_what_waits_is_brought_to_another_broker(project: Project) -> None:
    ids = project.send("proj.add", "proj.other", "proj.add")
    project.send("proj.add", queue="mail")
    other = f"sqlite:///{project.folder}/other.db"
    old = f"sqlite:///{project.folder}/q.db"
    assert project.bare("migrate", old, other, "-Q", "celery", "-T", "proj.add", "-n", "1").out.startswith("brought 1 task from ")
    assert project.bare("migrate", old, other, "-T", "proj.add", "--keep").out.startswith("brought 2 tasks")
    assert project.bare("migrate", old, other).out.startswith("brought 3 tasks")
    assert project.bare("migrate", old, other).out.startswith("brought 0 tasks")
    broker = open_broker(other)
    found = broker.reserve(["celery", "mail"], 100, patience())
    assert {each.envelope.id for each in found} > set(ids)
    broker.close()
    assert "nothing waits" in project.umbel("queues").out
    done = project.bare("migrate", old, old)
    assert (done.code, "there is nothing to move" in done.err) == (1, True)
    assert project.bare("migrate", old, "nowhere://").code == 1


def test_what_waits_for_its_time_stays_and_is_told(project: Project) -> None:
    project.send("proj.add", due=4e9)
    done = project.bare("migrate", f"sqlite:///{project.folder}/q.db", f"sqlite:///{project.folder}/other.db")
    assert done.out.splitlines()[1] == "1 task there wait for their time, and stay until then"


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        (
            "stats",
            "Task total: 3\nTask errors: 1\nTask success: 1\nTask completed: 2\n\nTasks\n=====\nshop.add: 2\nshop.nap: 1\n",
        ),
        ("errors", "[2026-01-02 03:04:07,680: ERROR/ForkPoolWorker-2] Task shop.add[b] raised unexpected: ValueError('x')\n"),
        ("traces", 'Traceback (most recent call last):\n  File "shop.py", line 3, in add\nValueError: x\n'),
        ("incomplete", "Did not complete: c\n"),
        ("debug", "[2026-01-02 03:04:08,680: DEBUG/MainProcess] of no interest\n"),
    ],
)
def test_logs_are_read(project: Project, tool: str, told: str) -> None:
    (project.folder / "x.log").write_text(LOG)
    assert project.bare("logtool", tool, "x.log").out.endswith(told)
    assert project.bare("logtool", tool, "none.log").code != 0


def test_old_names_of_settings_are_rewritten(project: Project) -> None:
    file, before = project.folder / "conf.py", "BROKER_URL = 'x'\nCELERYD_CONCURRENCY = 2  # CELERY_TASK_SERIALIZER\nOTHER = 1\n"
    file.write_text(before)
    assert "CELERYD_CONCURRENCY -> worker_concurrency" in project.bare("upgrade", "settings", "conf.py").out
    assert file.read_text() == "broker_url = 'x'\nworker_concurrency = 2  # task_serializer\nOTHER = 1\n"
    assert (project.folder / "conf.py.orig").read_text() == before
    assert project.bare("upgrade", "settings", "conf.py").out == "conf.py: nothing to change\n"
    file.write_text(before)
    assert "move it away" in project.bare("upgrade", "settings", "conf.py").err
    assert file.read_text() == before
    assert project.bare("upgrade", "settings", "conf.py", "--django", "--no-backup").code == 0
    assert "CELERY_WORKER_CONCURRENCY = 2" in file.read_text()
    assert project.bare("upgrade", "settings", "none.py").code == 1


def test_graphs_are_drawn(project: Project) -> None:
    assert '"judge" -> "pool"' in project.bare("graph", "bootsteps").out
    drawn = project.umbel("graph", "workers", "nodes:a,b", "threads:1").out
    assert drawn.startswith("digraph {")
    assert '"a 0" -> "a"' in drawn


def test_amqp_says_what_does_its_work(project: Project) -> None:
    done = project.bare("amqp", "queue.purge", "celery")
    assert (done.code, done.err) == (1, "umbel: no RabbitMQ server is used here; instead of queue.purge: umbel purge -Q NAME\n")
    assert "umbel call TASK" in project.bare("amqp").err


def test_several_workers_are_started_and_stopped_together(project: Project) -> None:
    paths = ("--pidfile=%n.pid", "--logfile=%n.log")
    assert project.bare("multi", "names", "2", "--suffix=box").out == "umbel1@box\numbel2@box\n"
    shown = project.umbel("multi", "show", "2", "--suffix=box", "-Q:2", "mail", *paths).out.splitlines()
    assert f"-m umbel -A {project.name} worker --detach" in shown[0]
    assert ("-Q mail" in shown[0], "-Q mail" in shown[1]) == (False, True)
    assert project.umbel("multi", "start", "w1", "-c", "1", "--pidfile=%n.pid", "--logfile=%n.log").code == 0
    try:
        assert project.umbel("inspect", "ping", "-t", str(patience())).code == 0
    finally:
        assert project.bare("multi", "stopwait", "w1", *paths).code == 0
    assert project.umbel("inspect", "ping").code == 69
    assert project.bare("multi", "stop", "w1", *paths).out.endswith("DOWN\n")
    assert project.bare("multi", "begin").code == 64
