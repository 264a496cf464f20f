"""A Redis server for one measurement."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DURABILITY = ["--save", "", "--appendonly", "no"]


def program() -> str:
    """Where the server's program is."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise SystemExit("redis-server is not on PATH: install it (apt install redis-server, or brew install redis)")
    return found


def version() -> str:
    """What the server says of itself."""
    told = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True).stdout
    return told.partition(" sha=")[0]


@contextmanager
def private_redis(folder: Path) -> Iterator[int]:
    """Gives the port of a fresh one, as fast as it gets: no append-only file, no snapshots."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program(), "--port", str(port), "--bind", "127.0.0.1", *DURABILITY, "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        end = time.monotonic() + 10
        while not _listens(port):
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit(f"{command[0]} does not start")
            time.sleep(0.01)
        yield port
    finally:
        process.kill()  # it keeps nothing
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
