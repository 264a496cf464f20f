"""Runs one project on Celery and on the face, each in processes of its own and in a database of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import redis
from tests.programs.nursery import Process, end, nursery

from umbel.testing.waiting import patience, until

HERE = Path(__file__).parent
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ADDRESS = re.compile(r"0x[0-9a-f]+")
HIDDEN = {"origin": "node", "eta": "time", "expires": "time", "delivery_tag": "id", "expiration": "time"}
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class Side:
    """One system, with the project in a folder of its own."""

    def __init__(self, python: Path, project: str, folder: Path, port: int, db: int):
        self.folder = folder
        shutil.copytree(HERE / "projects" / project, folder)
        self.redis = redis.Redis(port=port, db=db)
        self._python = python
        place = f"redis://127.0.0.1:{port}"
        env = {key: value for key, value in os.environ.items() if not key.startswith(("CELERY", "UMBEL", "DJANGO"))}
        self._env = {**env, "BROKER": f"{place}/{db}", "BACKEND": f"{place}/{db + 1}", "C_FORCE_ROOT": "1"}
        self._env |= {"PYTHONPATH": str(folder), "PATIENCE": str(patience())}

    def start(self, command: Sequence[str | Path], **streams: Any) -> Process:
        """Start a command in the project's folder."""
        return nursery(self._python).start(command, cwd=self.folder, env=self._env, **streams)

    @contextlib.contextmanager
    def worker(self, app: str, *queues: str, pool: str = "prefork") -> Iterator[Process]:
        """`celery -A app worker` as long as the block runs; it is told to stop with SIGTERM at the end."""
        command = [str(self._python), "-m", "celery", "-A", app, "worker", "-c", "1", "-l", "INFO", *QUIET]
        if pool != "prefork":
            command += ["-P", pool]
        if queues:
            command += ["-Q", ",".join(queues)]
        path = self.folder / "worker.log"
        with path.open("wb") as log:
            process = self.start(command, stdout=log)
        try:
            until(lambda: b" ready." in path.read_bytes() or process.poll() is not None)
            assert process.poll() is None, path.read_text()[-4000:]
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(patience())
        finally:
            end(process)

    def ask(self, function: str) -> Any:
        """What a function of the project's `use` gives, in a process of its own."""
        with self.program() as ask:
            return ask(function)

    @contextlib.contextmanager
    def program(self) -> Iterator[Callable[[str], Any]]:
        """A process that gives what functions of the project's `use` give, as often as it is asked."""
        given, said, log = (self.folder / name for name in ("given", "program.log", "worker.log"))
        with given.open("wb") as out, said.open("wb") as err:
            command = [self._python, HERE / "ask.py"]
            process = self.start(command, stdin=subprocess.PIPE, stdout=out, stderr=err)
        assert process.stdin is not None

        def ask(function: str) -> Any:
            before = given.read_bytes().count(b"\n")
            with contextlib.suppress(BrokenPipeError):  # what it died of is told below
                process.stdin.write(f"{function}\n".encode())
                process.stdin.flush()
            until(lambda: given.read_bytes().count(b"\n") > before or process.poll() is not None, times=2)
            assert process.poll() is None, said.read_text()[-6000:] + (log.read_text()[-4000:] if log.exists() else "")
            return json.loads(given.read_bytes().splitlines()[-1])

        try:
            yield ask
            process.stdin.close()
            assert process.wait(patience(2)) == 0, said.read_text()[-6000:]
        finally:
            end(process)

    def messages(self) -> dict[str, list[Any]]:
        """What waits in Redis, by key, without what differs from one send to the next."""
        found = {}
        for key in sorted(self.redis.keys("*")):
            if self.redis.type(key) == b"list":
                found[key.decode()] = [plain(json.loads(each)) for each in reversed(self.redis.lrange(key, 0, -1))]
        return found


def plain(envelope: dict[str, Any]) -> Any:
    """A message in the clear, with ids numbered in the order in which they come."""
    body = base64.b64decode(envelope["body"])
    with contextlib.suppress(ValueError):
        body = json.loads(body)
    envelope["body"] = body if not isinstance(body, bytes) else body.hex()
    envelope["properties"].pop("reply_to", None)  # which only those who wait with rpc:// look at
    for part in (envelope["headers"], envelope["properties"]):
        part.update({key: name for key, name in HIDDEN.items() if part.get(key)})
    headers = envelope["headers"]
    headers.pop("periodic_task_name", None)  # which umbel's beats tell always, and Celery's never
    headers["argsrepr"] = ADDRESS.sub("0x", headers["argsrepr"]).strip("[](),")  # a tuple here, whatever it was
    if (
        "ignore_result" in headers
    ):  # by name a task that is known here goes with what it says, in Celery with nothing: the same to workers
        headers["ignore_result"] = headers["ignore_result"] or None
    ids: dict[str, str] = {}
    return json.loads(UUID.sub(lambda found: ids.setdefault(found[0], f"id {len(ids)}"), json.dumps(envelope, sort_keys=True)))


def at_once(*steps: Any) -> list[Any]:
    """What each of these gives, all of them having run side by side; raises what the first of them raised."""
    results: list[Any] = [None] * len(steps)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            results[number] = steps[number]()
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def differences(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Where two values differ, a line for each place."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = sorted(theirs.keys() | ours.keys(), key=str)
        return [line for key in keys for line in differences(theirs.get(key, "-"), ours.get(key, "-"), f"{path}.{key}")]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [
            line for number, pair in enumerate(zip(theirs, ours, strict=True)) for line in differences(*pair, f"{path}[{number}]")
        ]
    return [] if theirs == ours else [f"{path}: {theirs!r} in Celery, {ours!r} here"]
