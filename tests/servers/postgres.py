"""Private PostgreSQL servers for tests: on a free port, in a directory of their own, with nothing kept after them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
from tests.servers.missing import lacks
from tests.servers.redis import free_port

from umbel.testing.waiting import patience

KEPT = Path(__file__).parents[2] / ".bench"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50", "shared_buffers=16MB")


class PostgresServer:
    """One server with one superuser, `tests`, whose password is `secret`."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not below pytest's directories: those only their owner may enter, and root may not run PostgreSQL.
        self.directory = Path(tempfile.mkdtemp(prefix="umbel-pg-"))
        self._user = _servant()

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://tests:secret@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make it and start it; it answers when this returns."""
        if self._user:
            shutil.chown(self.directory, self._user)
        self._make()
        options = " ".join(f"-c {option}" for option in (*QUICK, "listen_addresses=127.0.0.1", f"port={self.port}"))
        log = f"--log={self.directory}/log"
        self._run("pg_ctl", "start", "--wait", f"--pgdata={self._data}", log, "-o", f"{options} -c unix_socket_directories=")

    def create(self, database: str, like: str = "template1") -> str:
        """Make a database anew, empty or as another is; gives its URL."""
        self.query("postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self.query("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{like}"')
        return self.url(database)

    def query(self, database: str, statement: str) -> list[list[str]]:
        """The rows that a statement gives, as text."""
        with contextlib.closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            found = connection.execute(statement.encode())
            return [["" if value is None else str(value) for value in row] for row in found] if found.description else []

    def stop(self) -> None:
        """End it, and remove all that it kept."""
        with contextlib.suppress(subprocess.CalledProcessError):  # it may not have started
            self._run("pg_ctl", "stop", "--wait", "--mode=immediate", f"--pgdata={self._data}")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make(self) -> None:
        """Its first data: a copy of what was made once, for it takes a second of a processor."""
        program = _program("initdb")
        version = subprocess.run([program, "--version"], capture_output=True, check=True, timeout=patience()).stdout
        # With scram-sha-256 each connection costs who makes it six times as much.
        options = ["--username=tests", "--auth=md5", "--no-sync", "--encoding=UTF8", "--locale=C"]
        kept = KEPT / f"postgres-{zlib.crc32(repr((version, options, self._user or os.getuid())).encode()):08x}"
        if kept.exists():
            _copy(kept, self._data)
            return
        (self.directory / "password").write_text("secret")
        (self.directory / "password").chmod(0o644)
        self._run("initdb", f"--pgdata={self._data}", f"--pwfile={self.directory}/password", *options)
        KEPT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="postgres-", dir=KEPT) as folder:
            _copy(self._data, Path(folder) / "data")
            with contextlib.suppress(OSError):  # a process beside this one was quicker
                (Path(folder) / "data").rename(kept)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _run(self, program: str, *options: str) -> None:
        subprocess.run(
            [_program(program), *options], user=self._user, cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, check=True, timeout=patience(),
        )  # fmt: skip


def _copy(source: Path, target: Path) -> None:
    """All of a folder, with the owners."""
    subprocess.run(["cp", "-a", source, target], check=True, timeout=patience())


def _servant() -> str | None:
    """Who runs it if we are root, whom PostgreSQL does not serve."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _program(name: str) -> str:
    """A program of the newest PostgreSQL here; Debian keeps the server's off the PATH."""
    installed = [path for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}") if path.parts[4].isdigit()]
    newest = max(installed, key=lambda path: int(path.parts[4]), default=None)
    found = str(newest) if newest else shutil.which(name)
    if found is None:
        lacks(f"PostgreSQL's {name} is not here")
    return found


@contextlib.contextmanager
def running() -> Iterator[PostgresServer]:
    """A server that runs as long as the block does."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
