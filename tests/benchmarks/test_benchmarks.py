"""The programs of the benchmarks run, with next to nothing to measure; what they find is not judged."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from tests.servers.missing import lacks

from umbel.testing.waiting import patience

ROOT = Path(__file__).parent.parent.parent
BESIDE = ROOT / "benchmarks" / "beside" / "main.py"
PEERS = ("celery", "dramatiq", "huey", "taskiq", "rq")


def program(name: str, **sizes: int) -> ModuleType:
    """One program, loaded, with smaller numbers."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for size, value in sizes.items():
        assert hasattr(module, size)
        setattr(module, size, value)
    return module


def test_what_sending_costs_is_told(capsys):
    program("client", ROUNDS=1, MANY=10, FEW=10, STARTS=1).main()
    assert "delay_many" in capsys.readouterr().out


def test_what_a_run_costs_is_told(capsys):
    program("execution", ROUNDS=1, RUNS=10).main()
    assert "noop()" in capsys.readouterr().out


def test_what_a_message_costs_is_told(capsys):
    program("wire", ROUNDS=1, RUNS=10).main()
    assert "decode" in capsys.readouterr().out


def test_what_a_pool_costs_is_told(capsys):
    asyncio.run(program("pools", ROUNDS=1, JOBS=10, WINDOW=10, HOPS=1).main("solo", 1))
    assert "jobs/s" in capsys.readouterr().out


def test_what_a_store_costs_is_told(capsys, tmp_path):
    module = program("stores", ROUNDS=1, BATCH=1, CALM=0, IDLE=0)
    module.main(["--waiting", "10", "--directory", str(tmp_path)])
    assert "depth of a full queue" in capsys.readouterr().out


def test_umbel_is_measured_beside_all_peers_that_are_installed(tmp_path):
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        lacks("redis-server (or valkey-server) is not on the PATH")
    ready = {peer: f".ready-bench-{peer}" for peer in PEERS} | {"celery": ".ready-celery", "face": ".ready-face"}
    peers = [peer for peer, stamp in ready.items() if (ROOT / ".bench" / peer / stamp).exists()]
    file = tmp_path / "json"
    command = [sys.executable, BESIDE, "--rounds", "1", "--scale", "0.0005", "--only", "drain_kept", "chain", "crowd"]
    done = subprocess.run(
        [*command, "--json", file, "--peers", *peers], capture_output=True, text=True, timeout=patience(), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    drain, chain, *crowd = json.loads(file.read_text())["rounds"].values()
    assert set(drain) == {"umbel", "umbel-sqlite", *peers}
    assert set(chain) == {"umbel", "umbel-sqlite", *peers} - {"dramatiq", "huey", "taskiq", "rq"}
    assert all(set(figure) == {"umbel", "umbel-sqlite"} for figure in crowd)


def test_what_events_cost_is_told(capsys):
    program("events", ROUNDS=1, MANY=10).pieces()
    assert "taking them into a State" in capsys.readouterr().out
