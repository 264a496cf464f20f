"""Where the messages of the demo are: in a file, on a private Redis server, or on somebody's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoBroker(Exception):
    """What was asked for is not there."""


@contextmanager
def broker(wish: str, folder: Path) -> Iterator[dict[str, str]]:
    """The site's variables that say it; what was started for it ends with the block."""
    if wish in ("", "sqlite"):
        # Nothing but files: Channels and the cache are each process's own, and dashboards ask instead of being told.
        yield {"REDIS_URL": "", "CELERY_BROKER_URL": f"sqlite:///{folder}/umbel.db"}
    elif "://" in wish:
        yield {"REDIS_URL": wish, "CELERY_BROKER_URL": ""}
    elif wish == "redis":
        with _server(folder) as url:
            yield {"REDIS_URL": url, "CELERY_BROKER_URL": ""}
    else:
        raise NoBroker(f"BROKER={wish}: it may be sqlite, redis (a server of the demo's own), or the URL of a Redis server")


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise NoBroker(
            "BROKER=redis: there is no redis-server here; install it, or give the URL of one: BROKER=redis://host:6379/0"
        )
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NoBroker("the redis-server of the demo does not answer: see redis.log")


def free_port(wish: int = 0) -> int:
    """A port that nobody listens on: the one that is wished for, if it can be had."""
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", wish))
        except OSError:
            return free_port()
        port: int = found.getsockname()[1]
        return port
