"""Flower as it is released, over workers of umbel: its HTTP API and its pages."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.face.conftest import python_of
from tests.servers.redis import RedisServer

from umbel.testing.waiting import NEVER, patience, until

PROJECT = f"""
import os, time
from celery import Celery

app = Celery("shop", broker=os.environ["PLACE"], backend=os.environ["PLACE"])
app.conf.worker_pool_restarts = True

@app.task
def add(x, y):
    return x + y

@app.task
def fail():
    raise ValueError("no")

@app.task
def wait():
    time.sleep({NEVER})
"""
WORKER = "w1@host"


class OverSocket(http.client.HTTPConnection):
    """To a server that listens at a path."""

    def __init__(self, path: Path):
        super().__init__("localhost", timeout=patience())
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Flower:
    """Flower and the worker that it shows."""

    def __init__(self, folder: Path, place: str):
        self.folder = folder
        self.path = folder / "f"
        self._python = str(python_of("face"))
        self._env = {**os.environ, "PLACE": place, "FLOWER_UNAUTHENTICATED_API": "1"}
        (folder / "shop.py").write_text(PROJECT)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.worker = self.start("worker", "-c", "2", "-n", WORKER, "-l", "INFO", "--autoscale", "2,2", log="worker")
        self.start("flower", f"--unix_socket={self.path}", "--inspect_timeout=10000", log="flower")

    def start(self, *words: str, log: str) -> subprocess.Popen[bytes]:
        """A process of the project's, which ends with this."""
        with (self.folder / f"{log}.log").open("wb") as file:
            command = [self._python, "-m", "celery", "-A", "shop", *words]
            self._processes.append(subprocess.Popen(command, cwd=self.folder, env=self._env, stdout=file, stderr=file))
        return self._processes[-1]

    def log(self, of: str) -> str:
        return (self.folder / f"{of}.log").read_text()

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        """Status and text of the answer; 0 if there is none."""
        connection = OverSocket(self.path)
        try:
            connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as problem:
            return 0, repr(problem)
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Any:
        status, text = self.ask("GET", f"/api/{path}?{urlencode(query)}")
        assert status == 200, text
        return json.loads(text)

    def post(self, path: str, body: str = "", **query: Any) -> str:
        status, text = self.ask("POST", f"/api/{path}", body or urlencode(query) or "x=1")
        assert status == 200, text
        return str(json.loads(text).get("message", text))

    def send(self, name: str, *args: Any) -> str:
        """Have Flower send a task; gives its id."""
        body = json.dumps({"args": args})
        return str(json.loads(self.post(f"task/async-apply/shop.{name}", body))["task-id"])

    def state(self, id: str) -> str | None:
        status, text = self.ask("GET", f"/api/task/info/{id}")
        return json.loads(text)["state"] if status == 200 else None

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(patience())
            finally:
                process.kill()


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Flower]:
    made = Flower(tmp_path_factory.mktemp("f"), f"redis://127.0.0.1:{redis_server.port}/41")
    try:
        until(lambda: made.ask("GET", "/healthcheck") == (200, "OK"))
        until(lambda: made.get("workers", status=1) == {WORKER: True})
        until(lambda: "Events of tasks are sent" in made.log("worker") and WORKER in made.get("workers", refresh=1))
        yield made
    finally:
        made.close()
    ours = [line for line in made.log("worker").splitlines() if ": ERROR/" in line or ": CRITICAL/" in line]
    assert [line for line in ours if "raised unexpected: ValueError('no')" not in line] == []
    assert "Traceback" not in made.log("flower")


def test_it_shows_workers_with_all_that_can_be_asked_of_them(flower: Flower) -> None:
    found = flower.get("workers", refresh=1)[WORKER]
    assert {"stats", "active_queues", "registered", "conf"} <= found.keys()
    assert {each.split()[0] for each in found["registered"]} >= {"shop.add", "shop.fail", "shop.wait"}
    assert "celery" in [queue["name"] for queue in found["active_queues"]]

    def has_its_size() -> bool:  # which it takes a moment to have, where `--autoscale` has just let one go
        pool = flower.get("workers", refresh=1)[WORKER]["stats"]["pool"]
        return bool(pool["max-concurrency"] >= len(pool["processes"]) >= 1)

    until(has_its_size)
    assert found["stats"]["pid"] == flower.worker.pid


def test_it_follows_tasks_to_their_ends(flower: Flower) -> None:
    good, bad = flower.send("add", 1, 2), flower.send("fail")
    until(lambda: (flower.state(good), flower.state(bad)) == ("SUCCESS", "FAILURE"))
    told = flower.get(f"task/info/{good}")
    assert (told["name"], told["args"], told["result"], told["worker"]) == ("shop.add", "[1, 2]", "3", WORKER)
    assert told["received"] <= told["started"] <= told["succeeded"]
    told = flower.get(f"task/info/{bad}")
    assert told["exception"] == "ValueError('no')"
    assert "in fail" in told["traceback"]
    assert good in flower.get("tasks", state="SUCCESS")
    assert bad in flower.get("tasks", search="name:shop.fail")
    assert {"shop.add", "shop.fail"} <= set(flower.get("task/types")["task-types"])
    assert flower.get(f"task/result/{good}")["result"] == 3
    assert flower.get(f"task/result/{bad}")["state"] == "FAILURE"


def test_it_applies_tasks_and_waits_for_them(flower: Flower) -> None:
    body = json.dumps({"args": [4], "kwargs": {"y": 5}})
    told = json.loads(flower.post("task/apply/shop.add", body))
    assert (told["result"], told["state"]) == (9, "SUCCESS")
    assert "task-id" in json.loads(flower.post("task/send-task/shop.add", body))


def test_it_counts_what_waits(flower: Flower) -> None:
    assert {"name": "celery", "messages": 0} in flower.get("queues/length")["active_queues"]


def test_it_terminates_what_runs_and_revokes_what_does_not(flower: Flower) -> None:
    running = flower.send("wait")
    until(lambda: flower.state(running) == "STARTED")
    page = f"/worker/{quote(WORKER)}"
    until(lambda: running in flower.ask("GET", page)[1])  # under what is active
    assert flower.post(f"task/revoke/{running}?terminate=true") == f"Revoked '{running}'"
    until(lambda: flower.state(running) == "REVOKED")
    body = json.dumps({"args": [1, 2], "countdown": 1})
    later = json.loads(flower.post("task/async-apply/shop.add", body))["task-id"]
    flower.post(f"task/revoke/{later}")
    until(lambda: flower.state(later) == "REVOKED")


def test_it_sets_limits(flower: Flower) -> None:
    assert flower.post("task/rate-limit/shop.add", workername=WORKER, ratelimit="10/m") == "new rate limit set successfully"
    assert flower.post("task/rate-limit/shop.add", workername=WORKER, ratelimit="0") == "new rate limit set successfully"
    assert flower.post("task/timeout/shop.fail", workername=WORKER, soft=50, hard=60) == "time limits set successfully"


def test_it_steers_the_pool(flower: Flower) -> None:
    def processes() -> int:
        return len(flower.get("workers", refresh=1)[WORKER]["stats"]["pool"]["processes"])

    flower.post(f"worker/pool/autoscale/{WORKER}", min=1, max=4)
    before = set(flower.get("workers", refresh=1)[WORKER]["stats"]["pool"]["processes"])
    assert "estart" in flower.post(f"worker/pool/restart/{WORKER}")
    until(lambda: before.isdisjoint(flower.get("workers", refresh=1)[WORKER]["stats"]["pool"]["processes"]))
    assert processes() >= 1


def test_it_steers_what_queues_are_served(flower: Flower) -> None:
    def served() -> list[str]:
        return [queue["name"] for queue in flower.get("workers", refresh=1)[WORKER]["active_queues"]]

    assert flower.post(f"worker/queue/add-consumer/{WORKER}", queue="other") == "add consumer other"
    until(lambda: {"celery", "other"} <= set(served()))
    assert flower.post(f"worker/queue/cancel-consumer/{WORKER}", queue="other") == "no longer consuming from other"
    until(lambda: "other" not in served())


def test_its_pages_and_its_figures_are_there(flower: Flower) -> None:
    id = flower.send("add", 5, 6)
    until(lambda: flower.state(id) == "SUCCESS")
    for page, words in {
        "/workers": WORKER,
        f"/worker/{quote(WORKER)}": "Max concurrency",
        "/tasks": "datatable",
        f"/task/{id}": "[5, 6]",
        "/broker": "celery",
        "/metrics": f'flower_worker_online{{worker="{WORKER}"}} 1.0',
    }.items():
        status, text = flower.ask("GET", page)
        assert (status, words in text) == (200, True), (page, text)
    columns = "&".join(f"columns[{place}][data]={name}" for place, name in enumerate(("name", "uuid", "state")))
    order = "order[0][column]=0&order[0][dir]=asc&search[value]="
    status, text = flower.ask("GET", f"/tasks/datatable?draw=1&start=0&length=50&{columns}&{order}")
    assert status == 200, text
    assert id in [row["uuid"] for row in json.loads(text)["data"]]
    assert f'flower_events_total{{task="shop.add",type="task-succeeded",worker="{WORKER}"}}' in flower.ask("GET", "/metrics")[1]


def test_it_shuts_workers_down(flower: Flower) -> None:
    other = flower.start("worker", "-c", "1", "-n", "w2@host", "-Q", "lonely", log="other")
    until(lambda: flower.get("workers", status=1).get("w2@host"))
    until(lambda: "w2@host" in flower.get("workers", refresh=1))
    flower.post("worker/shutdown/w2@host")
    assert other.wait(patience()) == 0
    until(lambda: flower.get("workers", status=1)["w2@host"] is False)
