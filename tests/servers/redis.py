"""Private redis-servers for tests: on a free port, in a directory of their own, ended by their process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from umbel.testing.waiting import until


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port: int = finder.getsockname()[1]
        return port


class RedisServer:
    """One redis-server; what it keeps survives a `restart`."""

    def __init__(self, directory: Path, *options: str, port: int | None = None):
        self.directory = directory
        self.port = port or free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", ""]
        command += ["--unixsocket", f"{self.directory}/socket", *self.options]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.answers)

    def answers(self) -> bool:
        """True if it says PONG, or asks for a password."""
        with contextlib.suppress(OSError):
            answer = self.ask("PING")
            return answer.startswith((b"+PONG", b"-NOAUTH"))
        return False

    def ask(self, *words: str | bytes) -> bytes:
        """The raw reply to a command, if it is short."""
        packed = [word.encode() if isinstance(word, str) else word for word in words]
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.settimeout(5)
            sock.sendall(b"*%d\r\n" % len(packed) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in packed))
            return sock.recv(1 << 20)

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self.process
        self.process.send_signal(number)

    def stop(self, *, kill: bool = False) -> None:
        """End it, and wait for it."""
        if self.process:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait(30)
            self.process = None


def _program() -> str:
    """The server's program; without one the test fails on CI, and is skipped at home."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        missing = "redis-server (or valkey-server) is not on the PATH"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return found


@contextlib.contextmanager
def running(directory: Path, *options: str) -> Iterator[RedisServer]:
    """A server that runs as long as the block does."""
    server = RedisServer(directory, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Sentinels:
    """A master, a replica, and three sentinels that watch them as `mymaster`."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.master = RedisServer(directory / "master")
        self.replica = RedisServer(directory / "replica", "--replicaof", "127.0.0.1", str(self.master.port))
        self.watchers = [RedisServer(directory / f"sentinel{number}") for number in range(3)]

    def start(self) -> None:
        """Start all, and wait until the sentinels know each other and the replica."""
        self.master.start()
        self.replica.start()
        for watcher in self.watchers:
            config = watcher.directory / "sentinel.conf"
            config.write_text(
                f"port {watcher.port}\nbind 127.0.0.1\ndir {watcher.directory}\n"
                f"sentinel monitor mymaster 127.0.0.1 {self.master.port} 2\n"
                "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n"
            )
            with (watcher.directory / "log").open("ab") as log:
                watcher.process = subprocess.Popen([_program(), str(config), "--sentinel"], stdout=log, stderr=log)
        for watcher in self.watchers:
            until(watcher.answers)
            until(lambda watcher=watcher: self._is_ready(watcher), 30)

    def _is_ready(self, watcher: RedisServer) -> bool:
        text = watcher.ask("INFO", "sentinel")
        return b"status=ok" in text and b"slaves=1,sentinels=3" in text

    @property
    def url(self) -> str:
        """A URL that names them all."""
        return ";".join(f"sentinel://127.0.0.1:{watcher.port}" for watcher in self.watchers) + "/0"

    def stop(self) -> None:
        """End all of them."""
        for server in (*self.watchers, self.replica, self.master):
            server.stop(kill=True)
