"""Remote control by Celery's names: a project's own commands, and what they find in `state`."""

from __future__ import annotations

import json
import subprocess
import textwrap
from pathlib import Path

CODE = """
import json, threading
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.worker.control import Panel, control_command, inspect_command, nok, ok
from celery.worker import state as state_of_workers
from umbel.testing.waiting import patience, until

app = Celery("proj", broker="memory://", backend="cache+memory://")
gate = threading.Event()

@app.task
def hold(x):
    gate.wait(patience())
    return x

@control_command(args=[("n", int)], signature="[N=1]")
def increase_prefetch_count(state, n=1):
    state.consumer.qos.increment_eventually(n)
    return {"ok": "prefetch count incremented"}

@inspect_command()
def current_prefetch_count(state):
    return {"prefetch_count": state.consumer.qos.value}

@inspect_command(alias="who")
def names(state):
    return [state.app.main, state.hostname, state.consumer.hostname, state.consumer.pool.num_processes]

@control_command()
def more(state, queue):
    state.consumer.add_task_queue(queue)
    state.consumer.pool.grow(1)
    return ok(queue)

@Panel.register(type="inspect", name="plain")
def _plain(state):
    return nok("no")

meta, data = Panel.meta, Panel.data
told = {"meta": [meta["increase_prefetch_count"].signature, meta["names"].type, "who" in data, "ping" in data]}
with start_worker(app, perform_ping_check=False, concurrency=1, pool="threads") as worker:
    asks = app.control.inspect(timeout=patience())
    until(lambda: app.control.ping(timeout=patience()))
    def tell(command, **arguments):
        (reply,) = app.control.broadcast(command, arguments, reply=True, timeout=patience())
        return list(reply.values())[0]
    told["before"] = tell("current_prefetch_count")
    told["more"] = tell("increase_prefetch_count", n=3)
    told["after"] = tell("current_prefetch_count")
    told["names"] = tell("who") == ["proj", worker.hostname, worker.hostname, 1]
    told["plain"] = tell("plain")
    told["queue"] = tell("more", queue="further")
    until(lambda: "further" in {queue["name"] for queue in asks.active_queues()[worker.hostname]})
    result = hold.apply_async((7,), queue="further")
    until(lambda: asks.active()[worker.hostname])
    told["active"] = asks.active()[worker.hostname][0]["id"] == result.id
    told["stats"] = asks.stats()[worker.hostname]["pool"]["max-concurrency"]
    told["ping"] = type(asks).__name__, asks.app is app, app.control.purge()
    held = [request.id for request in state_of_workers.active_requests]
    told["state"] = held == [result.id], result.id in state_of_workers.requests, len(state_of_workers.reserved_requests)
    gate.set()
    told["result"] = result.get(timeout=patience())
    until(lambda: dict(state_of_workers.total_count) == {hold.name: 1})
told["later"] = len(state_of_workers.active_requests), list(state_of_workers.requests)
print(json.dumps(told))
"""


def test_commands_of_a_project_find_what_celery_documents(face: Path, tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(textwrap.dedent(CODE))
    done = subprocess.run([face, "use.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "meta": ["[N=1]", "inspect", True, True],
        "before": {"prefetch_count": 4},
        "more": {"ok": "prefetch count incremented"},
        "after": {"prefetch_count": 7},
        "names": True,
        "plain": {"error": "no"},
        "queue": {"ok": "further"},
        "active": True,
        "stats": 2,
        "ping": ["Inspect", True, 0],
        "state": [True, True, 1],
        "result": 7,
        "later": [0, []],
    }
