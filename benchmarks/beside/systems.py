"""Who is measured: where each has its Python, how its worker starts, what its environment says."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rows import Row
from server import private_redis

HERE = Path(__file__).parent
BENCH = HERE.parent.parent / ".bench"
IMPORT = "import time; a = time.perf_counter(); {}; print((time.perf_counter() - a) * 1000)"
ABOUT = """
import {app} as app
from importlib.metadata import version
print(*(f"{{name}} {{version(name)}}" for name in {packages!r}.split()), sep=", ")
print(*(f"{{name}}={{value}}" for name, value in app.SETTINGS.items()), sep=", ")
"""


@dataclass
class System:
    """One task queue with its store."""

    name: str
    title: str
    packages: str
    """Whose versions are told."""
    worker: str
    """The worker's command, at the settings that make it fastest."""
    plain: str
    """The same as people start it first, with nothing but its two processes."""
    make: str
    """How an app is made."""
    naps: str = ""
    """The worker with a hundred slots for coroutines."""
    app: str = ""
    bin: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = self.app or f"{self.name}_app"
        self.bin = BENCH / self.name / "bin" if self.app != "umbel_app" else Path(sys.executable).parent

    def ask(self, code: str) -> str:
        """What a piece of Python prints in this system's environment."""
        command = [str(self.bin / "python"), "-c", code]
        with tempfile.TemporaryDirectory(dir=BENCH) as folder:
            environment = self._environment({"BENCH_FOLDER": folder})
            told = subprocess.run(command, cwd=HERE, env=environment, check=True, capture_output=True, text=True)
        return told.stdout.strip()

    def _environment(self, places: dict[str, str]) -> dict[str, str]:
        return (
            os.environ
            | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])}
            | self.environment
            | places
        )

    def about(self) -> dict[str, str]:
        """What is to be said of it beside its figures."""
        versions, settings = self.ask(ABOUT.format(app=self.app, packages=self.packages)).splitlines()
        return {
            "versions": versions,
            "settings": settings,
            "worker": " ".join([*(f"{name}={value}" for name, value in self.environment.items()), self.worker]),
        }

    def measure(self, name: str, row: Row, calls: int) -> dict[str, float]:
        """The figures of one row, once, in a folder and with a Redis of its own."""
        if name == "imports":
            package = self.packages.split()[0]
            asked = {"package": f"import {package}", "app": self.make}
            return {key: self._time(IMPORT.format(asked[key])) for key in row.figures}
        command = {"naps": self.naps, "start_plain": self.plain}.get(name, self.worker).split()
        if name == "idle_many":
            command += ["-Q", ",".join(["celery", *(f"queue-{number}" for number in range(49))])]
        with tempfile.TemporaryDirectory(dir=BENCH, prefix="run-") as folder, private_redis(Path(folder)) as port:
            places = {"BENCH_FOLDER": folder, "BENCH_REDIS_PORT": str(port), "BENCH_ROW": name}
            return self._drive([name, str(calls), str(self.bin / command[0]), *command[1:]], places)

    def _drive(self, arguments: Sequence[str], places: dict[str, str]) -> dict[str, float]:
        command = [str(self.bin / "python"), "drive.py", self.app, *arguments]
        environment = self._environment(places)
        process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            told, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            log = Path(places["BENCH_FOLDER"]) / "worker.log"
            told = log.read_text()[-2000:] if log.exists() else "(its worker had not started)"
            raise SystemExit(f"{arguments[0]} failed for {self.title}; the end of its worker's log:\n{told}")
        return dict(json.loads(told))

    def _time(self, code: str) -> float:
        """The median of what three fresh processes print."""
        return statistics.median(float(self.ask(code)) for _ in range(3))


def systems() -> list[System]:
    """All, umbel first."""
    umbel = "umbel -A umbel_app worker"
    quiet = "-l WARNING"
    celery = "celery -A celery_app worker -c 2"
    taskiq, quiet_taskiq = "taskiq worker taskiq_app:broker", "--log-level WARNING"
    return [
        *(
            System(
                name,
                f"umbel on {store}",
                packages=f"umbel msgspec {packages}",
                worker=f"{umbel} -c 2 {quiet}",
                plain=f"{umbel} -c 2",
                naps=f"{umbel} -P asyncio -c 100 {quiet}",
                make="from umbel import Umbel; Umbel('x')",
                app="umbel_app",
                environment={"BENCH_STORE": store.lower()},
            )
            for name, store, packages in (("umbel", "Redis", "redis hiredis"), ("umbel-sqlite", "SQLite", ""))
        ),
        *(
            System(
                name,
                title,
                packages=packages,
                worker=f"{celery} {quiet} -O fair --without-gossip --without-mingle --without-heartbeat",
                plain=celery,
                make="from celery import Celery; Celery('x')",
                app="celery_app",
            )
            for name, title, packages in (
                ("face", "umbel as celery", "celery umbel msgspec redis hiredis"),
                ("celery", "Celery", "celery kombu redis hiredis"),
            )
        ),
        System(
            "dramatiq",
            "Dramatiq",
            packages="dramatiq redis hiredis",
            worker="dramatiq dramatiq_app -p 2 -t 2",
            plain="dramatiq dramatiq_app -p 2",
            make="import dramatiq; from dramatiq.brokers.redis import RedisBroker; RedisBroker()",
            environment={"dramatiq_queue_prefetch": "1000"},
        ),
        System(
            "huey",
            "Huey",
            packages="huey redis hiredis",
            worker="huey_consumer huey_app.huey -w 2 -k process -q -n",
            plain="huey_consumer huey_app.huey -w 2 -k process",
            make="from huey import RedisHuey; RedisHuey('x')",
        ),
        System(
            "taskiq",
            "Taskiq",
            packages="taskiq taskiq-redis redis hiredis uvloop orjson",
            worker=f"{taskiq} -w 2 --max-async-tasks 100 --no-parse {quiet_taskiq}",
            plain=f"{taskiq} -w 2",
            naps=f"{taskiq} -w 1 --max-async-tasks 100 --no-parse {quiet_taskiq}",
            make="from taskiq_redis import ListQueueBroker; ListQueueBroker('redis://127.0.0.1')",
        ),
        System(
            "rq",
            "RQ",
            packages="rq redis hiredis",
            worker="rq worker-pool -c rq_app -n 2 -w rq.worker.SimpleWorker -S json -q",
            plain="rq worker-pool -c rq_app -n 2 -S json",
            make="from redis import Redis; from rq import Queue; Queue(connection=Redis())",
        ),
    ]
