"""Private redis-servers for tests: on a free port, in a directory of their own, ended by their process."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.servers.missing import lacks

from umbel.testing.waiting import patience, until

_FIRST, _EACH = 10_240, 1_000
"""Ports that systems give to nobody by themselves: so many for each of the processes that run tests beside each other."""
_ports = itertools.count(os.getpid() % _EACH)


def free_port() -> int:
    """A port that nobody listens on, that no process beside this one gets, and that no connection of this machine is given."""
    beside = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "20"
    while True:
        port = _FIRST + int(beside) % 21 * _EACH + next(_ports) % _EACH
        with socket.socket() as finder, contextlib.suppress(OSError):
            finder.bind(("127.0.0.1", port))
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
        self.launch()
        until(lambda: self._lives() and self.answers())

    def _lives(self) -> bool:
        """True if it does; fails if it has ended: what answers on its port then is another's."""
        assert self.process is not None
        assert self.process.poll() is None, f"it has ended: {(self.directory / 'log').read_text()[-500:]}"
        return True

    def launch(self) -> None:
        """Start; it does not answer yet."""
        command = [_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", ""]
        command += ["--unixsocket", f"{self.directory}/socket", *self.options]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def answers(self, *answers: bytes) -> bool:
        """True if it says one of these; by default PONG, or that it wants a password."""
        with contextlib.suppress(OSError):
            return self.ask("PING").startswith(answers or (b"+PONG", b"-NOAUTH"))
        return False

    def ask(self, *words: str | bytes) -> bytes:
        """The raw reply to a command, if it is short."""
        packed = [word.encode() if isinstance(word, str) else word for word in words]
        with socket.create_connection(("127.0.0.1", self.port), patience()) as sock:
            sock.settimeout(patience())
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
            self.process.wait(patience())
            self.process = None


def _program() -> str:
    """The server's program, `UMBEL_REDIS_SERVER` before all others; without one the test fails on CI, and is skipped at home."""
    found = os.environ.get("UMBEL_REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        lacks("redis-server (or valkey-server) is not on the PATH")
    return found


@contextlib.contextmanager
def running(directory: Path, *options: str, port: int | None = None) -> Iterator[RedisServer]:
    """A server that runs as long as the block does."""
    server = RedisServer(directory, *options, port=port)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def make_certificate(directory: Path, port: int) -> list[str]:
    """Make cert.pem and key.pem of `localhost` there; gives the options for a server that speaks TLS on this port."""
    if not shutil.which("openssl"):
        pytest.fail("this test needs openssl")
    files = ["-keyout", f"{directory}/key.pem", "-out", f"{directory}/cert.pem"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *key, "-days", "1", *names, *files], check=True, capture_output=True)
    tls = ["--tls-port", str(port), "--tls-cert-file", f"{directory}/cert.pem", "--tls-key-file", f"{directory}/key.pem"]
    return [*tls, "--tls-ca-cert-file", f"{directory}/cert.pem", "--tls-auth-clients", "no"]


class Sentinel(RedisServer):
    """One sentinel that watches the server on the port `master` as `mymaster`.

    So many must agree that it is down, after `patience` seconds in which each has not heard of it.
    """

    def __init__(self, directory: Path, master: int, *, quorum: int, patience: float = 0.5, options: Sequence[str] = ()):
        super().__init__(directory, *options)
        self.master = master
        self.quorum = quorum
        self.patience = patience

    def launch(self) -> None:
        config = self.directory / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor mymaster 127.0.0.1 {self.master} {self.quorum}\n"
            f"sentinel down-after-milliseconds mymaster {int(self.patience * 1000)}\n"
            "sentinel failover-timeout mymaster 3000\n"
        )
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([_program(), str(config), "--sentinel", *self.options], stdout=log, stderr=log)

    def knows(self, replicas: int, sentinels: int) -> bool:
        """True if it sees the master, and so many others."""
        text = self.ask("INFO", "sentinel")
        return b"status=ok" in text and b"slaves=%d,sentinels=%d" % (replicas, sentinels) in text


@contextlib.contextmanager
def running_sentinel(directory: Path, master: int) -> Iterator[Sentinel]:
    """One sentinel for one master, without replicas."""
    sentinel = Sentinel(directory, master, quorum=1)
    try:
        sentinel.start()
        yield sentinel
    finally:
        sentinel.stop(kill=True)


class Sentinels:
    """A master, a replica, and three sentinels that watch them as `mymaster`."""

    def __init__(self, directory: Path, *options: str, patience: float):
        """`options` are of the master and of its replica, `patience` of the sentinels."""
        self.master = RedisServer(directory / "master", *options)
        self.replica = RedisServer(directory / "replica", *options, "--replicaof", "127.0.0.1", str(self.master.port))
        self.watchers = [
            Sentinel(directory / f"sentinel{number}", self.master.port, quorum=2, patience=patience) for number in range(3)
        ]

    def start(self) -> None:
        """Start all, and wait until the sentinels know each other and the replica."""
        self.master.start()
        self.replica.start()
        until(lambda: b"master_link_status:up" in self.replica.ask("INFO", "replication"))
        for watcher in self.watchers:
            watcher.start()
        for watcher in self.watchers:
            until(lambda watcher=watcher: watcher.knows(1, 3))

    @property
    def url(self) -> str:
        """A URL that names them all."""
        return ";".join(f"sentinel://127.0.0.1:{watcher.port}" for watcher in self.watchers) + "/0"

    def stop(self) -> None:
        """End all of them."""
        for server in (*self.watchers, self.replica, self.master):
            server.stop(kill=True)


@contextlib.contextmanager
def running_sentinels(directory: Path, *options: str, patience: float = 0.5) -> Iterator[Sentinels]:
    """All five as long as the block runs."""
    sentinels = Sentinels(directory, *options, patience=patience)
    try:
        sentinels.start()
        yield sentinels
    finally:
        sentinels.stop()
